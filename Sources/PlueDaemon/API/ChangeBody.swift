import Foundation
import HTTPTypes
import NIOCore
import OrderedCollections
import PlueConfig

/// A change or a candidate as a request's body holds it.
enum ChangeBody: Sendable {
    /// Nothing: the files as they are.
    case none
    case edits(Edits)
    case merge(JSONValue)
    case patch(JSONPatch)

    static let mergePatch = "application/merge-patch+json"
    /// Whole documents: `{"documents":{"production.ini":"[server]\n…","production.d/10-x.ini":null}}`; `null` deletes one.
    static let documents = "application/json"

    static let ofChanges = [mergePatch, JSONPatch.mediaType, EditsJSON.mediaType]
    static let ofCandidates = ofChanges + [documents]

    /// - Parameter mayBeEmpty: Whether it may be no change at all, with no body and no media type.
    /// - Throws: 400, 415.
    init(_ bytes: ByteBuffer, _ mediaType: String?, from types: [String], mayBeEmpty: Bool = false) throws(Problem) {
        if mayBeEmpty, bytes.readableBytes == 0 {
            self = .none
            return
        }
        guard let mediaType, types.contains(mediaType) else {
            throw Problem(.unsupportedMediaType, "the body is one of \(types.joined(separator: ", ")); Content-Type says which")
        }
        guard bytes.readableBytes > 0 else { throw Problem(.badRequest, "the body is empty, and nothing is changed by that") }
        let json = try Self.json(bytes)
        switch mediaType {
        case Self.mergePatch:
            guard case .object = json else { throw Problem(.badRequest, "a merge patch is an object") }
            self = .merge(json)
        case JSONPatch.mediaType:
            do throws(JSONPatch.Malformed) { self = .patch(try JSONPatch(json)) } catch { throw Problem(.badRequest, error.description) }
        case EditsJSON.mediaType:
            do throws(EditsJSON.Malformed) {
                self = .edits(try EditsJSON.edits(from: json))
            } catch {
                throw Problem(.badRequest, error.description)
            }
        default: self = .edits(try Self.edits(replacing: json))
        }
    }

    private static func edits(replacing json: JSONValue) throws(Problem) -> Edits {
        guard json.members.count == 1, case .object(let documents)? = json["documents"], !documents.isEmpty else {
            throw Problem(.badRequest, "the body is an object with the one member 'documents', names and texts")
        }
        var edits = Edits()
        for (name, text) in documents {
            switch text {
            case .string(let text): edits.steps.append(.replace(document: name, with: Array(text.utf8)))
            case .null: edits.steps.append(.removeDocument(name))
            default: throw Problem(.badRequest, "a document is a text, or null to delete it")
            }
        }
        return edits
    }

    /// A body as JSON. What is wrong is told by its place: the text may hold anything.
    static func json(_ bytes: ByteBuffer) throws(Problem) -> JSONValue {
        do throws(JSONSyntaxError) {
            return try JSONValue(parsing: Array(bytes.readableBytesView), name: "the body")
        } catch {
            let place = error.diagnostic.location.map { ": line \($0.line), column \($0.column)" } ?? ""
            guard error.diagnostic.code != "json-number" else {
                throw Problem(.unprocessableContent, "the body has a number that cannot be kept exactly\(place)")
            }
            throw Problem(.badRequest, "the body is not JSON\(place)")
        }
    }
}
