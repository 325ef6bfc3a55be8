import Foundation
import Testing

/// What the API answered.
struct APIAnswer {
    let status: Int
    /// By their names in small letters.
    let headers: [String: String]
    let body: String

    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:] }

    /// A member, down a path: `a.b`.
    func value(_ path: String) -> Any? {
        path.split(separator: ".").reduce(json as Any?) { ($0 as? [String: Any])?[String($1)] }
    }

    /// As `curl -i` prints it.
    init(_ output: String) throws {
        var rest = output.replacing("\r\n", with: "\n")[...]
        // What comes before the final answer is none: 100 Continue.
        while rest.hasPrefix("HTTP/1.1 100"), let end = rest.range(of: "\n\n") { rest = rest[end.upperBound...] }
        let end = try #require(rest.range(of: "\n\n"), "\(output.prefix(500))")
        let lines = rest[..<end.lowerBound].split(separator: "\n")
        status = try #require(lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        headers = Dictionary(
            lines.dropFirst().compactMap { line in
                line.firstIndex(of: ":").map {
                    (line[..<$0].lowercased(), line[line.index(after: $0)...].trimmingCharacters(in: .whitespaces))
                }
            }, uniquingKeysWith: { $1 })
        body = String(rest[end.upperBound...])
    }
}

extension RunningDaemon {
    static let mergePatch = "application/merge-patch+json"
    static let jsonPatch = "application/json-patch+json"

    /// Calls the API through the socket.
    func call(
        _ method: String, _ path: String, _ body: String? = nil, as type: String? = nil, ifMatch: String? = nil,
        headers: [String] = []
    ) async throws -> APIAnswer {
        var command = "curl -sS -i -m 60 --unix-socket '\(scratch.path)/state/plue.sock'"
        command += method == "HEAD" ? " -I" : " -X \(method)"
        if let type { command += " -H 'content-type: \(type)'" }
        if let ifMatch { command += " -H 'if-match: \(ifMatch)'" }
        for header in headers { command += " -H '\(header)'" }
        if let body {
            let file = "body-\(UUID().uuidString)"
            try scratch.write(body, to: file)
            command += " --data-binary @\(file)"
        }
        return try APIAnswer(try await scratch.run(command + " 'http://plue\(path)'").output)
    }

    func get(_ path: String, _ headers: String...) async throws -> APIAnswer { try await call("GET", path, headers: headers) }

    func patch(_ body: String, as type: String = mergePatch, ifMatch: String? = "*", _ query: String = "") async throws -> APIAnswer {
        try await call("PATCH", "/v1/config\(query)", body, as: type, ifMatch: ifMatch)
    }

    /// The environment's own document, as it is on disk.
    var document: String { (try? scratch.read("config/development.ini")) ?? "" }
}
