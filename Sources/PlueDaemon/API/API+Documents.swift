import HTTPTypes
import Hummingbird
import NIOCore
import OrderedCollections
import PlueConfig
import PlueDocuments
import PlueLedger

/// The documents of the version that runs, as they are written.
extension API {
    var documentRoutes: [Route] {
        let paths = ["/v1/documents/{name}", "/v1/documents/{directory}/{name}"]
        let refusals = [404, 409, 412, 413, 415, 422, 428, 500, 503]
        return [
            Route(
                .get, "/v1/documents", .viewer,
                Operation(
                    id: "listDocuments", summary: "The names of the documents of the version that runs.", headers: [.ifNoneMatch],
                    answer: .json("Documents"), refusals: [503])
            ) { request, _ in try await documents(request) },
            // What somebody wrote in plain text is shown in plain text, so this takes more than looking.
            Route(
                .get, "/v1/documents/**", .operator,
                Operation(
                    id: "getDocument", summary: "A document as it is written: comments, line ends and all.", paths: paths,
                    headers: [.ifNoneMatch], answer: .text, refusals: [404, 503])
            ) { request, context in try await document(try path(context), request) },
            Route(
                .put, "/v1/documents/**", .operator,
                Operation(
                    id: "putDocument", summary: "Puts a text in a document's place, or adds the document, as one transaction.",
                    paths: paths, query: Operation.Parameter.ofChanges, headers: [.ifMatch, .idempotencyKey], body: .document,
                    answer: .json("Changed"), refusals: refusals)
            ) { request, context in try await put(try path(context), request, context) },
            Route(
                .delete, "/v1/documents/**", .operator,
                Operation(
                    id: "deleteDocument", summary: "Deletes a document, as one transaction.", paths: paths,
                    query: Operation.Parameter.ofChanges, headers: [.ifMatch, .idempotencyKey], answer: .json("Changed"),
                    refusals: refusals)
            ) { request, context in try await delete(try path(context), request, context) },
        ]
    }

    private func documents(_ request: Request) async throws -> Response {
        let (version, documents) = try await runningDocuments()
        if let unchanged = notModified(request, version) { return unchanged }
        return json(
            [
                "version": .integer(version),
                "documents": .array(documents.map(listed)),
            ], version: version)
    }

    /// A document without its text; by the fingerprint one can see whether it is the same.
    func listed(_ document: StoredDocument) -> JSONValue {
        let text = Secret(PlainValue.string(String(decoding: document.bytes, as: UTF8.self)))
        return [
            "name": .string(document.name), "bytes": .integer(document.bytes.count),
            "fingerprint": .string(fingerprints.fingerprint(of: text)),
        ]
    }

    private func document(_ path: [String], _ request: Request) async throws -> Response {
        let (version, documents) = try await runningDocuments()
        let document = try named(path, in: documents)
        return notModified(request, version)
            ?? Response(
                status: .ok,
                headers: [
                    .contentType: "text/plain; charset=utf-8", .cacheControl: "no-cache", .eTag: Self.tag(version),
                    .contentDisposition: "inline",
                ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: document.bytes)))
    }

    private func put(_ path: [String], _ request: Request, _ context: APIContext) async throws -> Response {
        try await once(request, context) { bytes in
            guard try request.mediaType() == "text/plain" else { throw Problem(.unsupportedMediaType, "a document is text/plain") }
            guard bytes.readableBytes > 0 else {
                throw Problem(.badRequest, "the body is empty, and no document is emptied by that; DELETE takes one away")
            }
            let edits = Edits([.replace(document: path.joined(separator: "/"), with: Array(bytes.readableBytesView))])
            return try await change(request, context) { (edits, nil) }
        }
    }

    private func delete(_ path: [String], _ request: Request, _ context: APIContext) async throws -> Response {
        try await once(request, context) { _ in
            let document = try named(path, in: try await runningDocuments().documents)
            return try await change(request, context) { (Edits([.removeDocument(document.name)]), nil) }
        }
    }

    private func named(_ path: [String], in documents: [StoredDocument]) throws(Problem) -> StoredDocument {
        let name = path.joined(separator: "/")
        guard let document = documents.first(where: { $0.name == name }) else {
            throw Problem(.notFound, "the version that runs has no document '\(VisibleText.of(name))'")
        }
        return document
    }

    private func runningDocuments() async throws -> (version: Int, documents: [StoredDocument]) {
        let version = manager.snapshot.version
        do {
            guard let documents = try await history.documents(of: version) else {
                throw Problem(.serviceUnavailable, "the version that runs is not in the history")
            }
            return (version, documents)
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem(.serviceUnavailable, "the history cannot be read")
        }
    }
}

extension SourceText {
    /// Whether a setting stands in it.
    func holds(_ key: SettingKey) -> Bool {
        (try? Document(parsing: bytes, name: displayName))?.firstEntry(section: key.section, key: key.name) != nil
    }
}
