import Foundation
import HTTPTypes
import Hummingbird
import PlueConfig

/// What a call takes and what it gives, told once: requests are checked by it, and `/openapi.json` is made from it.
struct Operation: Sendable {
    /// Unique; what generated clients call it.
    let id: String
    /// One line.
    let summary: String
    /// The paths of OpenAPI that a catch-all stands for, `/v1/config/{section}`; the route's own path unless given.
    var paths: [String]?
    /// All that the query may hold: anything else is refused, since a slip in `dryRun` would do harm.
    var query: [Parameter] = []
    var headers: [Header] = []
    var body: Body?
    var answer = Answer.none
    /// The statuses it refuses with, beside those that any call may have.
    var refusals: [Int] = []

    /// One part of the query.
    struct Parameter: Hashable, Sendable {
        let name: String
        let form: Form
        let summary: String

        enum Form: Hashable, Sendable {
            case flag
            case integer(ClosedRange<Int>)
            case duration
            case text(most: Int)
        }
    }

    /// A header that the call looks at.
    enum Header: Hashable, Sendable {
        /// Needed: without it nothing is changed.
        case ifMatch
        /// Looked at when it is there.
        case ifMatchWhenGiven
        case ifNoneMatch, idempotencyKey, lastEventID
    }

    /// What a body may be.
    enum Body: Hashable, Sendable {
        /// Edits, a merge patch or a JSON Patch.
        case change
        /// The same, or documents; without a body the files as they are.
        case candidate
        /// A document's text.
        case document
        /// JSON by a schema of ``OpenAPI``.
        case json(String)
    }

    /// What it answers when all is well.
    struct Answer: Hashable, Sendable {
        var status = 200
        let mediaType: String
        /// The name of a schema of ``OpenAPI``; `nil` for text.
        let schema: String?

        static let none = Answer(mediaType: "", schema: nil)
        static let text = Answer(mediaType: "text/plain", schema: nil)
        static let events = Answer(mediaType: "text/event-stream", schema: "Event")
        /// 204.
        static let nothing = Answer(status: 204, mediaType: "", schema: nil)
        static func json(_ schema: String, status: Int = 200) -> Answer {
            Answer(status: status, mediaType: "application/json", schema: schema)
        }
    }

    /// Refuses a query that the call does not know, or a value that is not what it says.
    func check(_ request: Request) throws(Problem) {
        var seen: Set<Substring> = []
        for (name, value) in request.uri.queryParameters {
            guard seen.insert(name).inserted else { throw Problem(.badRequest, "the query has '\(Self.shown(name))' twice") }
            guard let parameter = query.first(where: { $0.name == name }) else {
                let known = query.map(\.name)
                throw Problem(
                    .badRequest,
                    "this call has no parameter '\(Self.shown(name))'" + (known.isEmpty ? "" : "; it has \(known.joined(separator: ", "))"))
            }
            guard let expected = parameter.form.expectation(unlessMetBy: String(value)) else { continue }
            throw Problem(.badRequest, "\(parameter.name) is \(expected)")
        }
    }

    private static func shown(_ name: Substring) -> String { VisibleText.of(String(name.prefix(80))) }
}

extension Operation.Parameter.Form {
    /// What it has to be; `nil` when it is.
    fileprivate func expectation(unlessMetBy text: String) -> String? {
        switch self {
        case .flag: text == "true" || text == "false" ? nil : "true or false"
        case .integer(let range):
            Int(text).map { range.contains($0) && String($0) == text } == true
                ? nil : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .duration: (try? Duration(setting: .scalar(text))) != nil ? nil : "a duration such as 60s"
        case .text(let most):
            text.unicodeScalars.count <= most && !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
                ? nil : "one line of at most \(most) characters, without control characters"
        }
    }
}

extension Operation.Parameter {
    static let reason = Self(name: "reason", form: .text(most: 1000), summary: "Why; kept in the history and the audit log.")
    static let confirmWithin = Self(
        name: "confirmWithin", form: .duration, summary: "Takes the change back unless it is confirmed within this time, 1s to 7d.")
    static let dryRun = Self(name: "dryRun", form: .flag, summary: "Answers with the plan and changes nothing.")
    static let replacePending = Self(
        name: "replacePending", form: .flag, summary: "Takes the place of a change that waits to be confirmed.")

    /// What every change may have.
    static let ofChanges = [reason, confirmWithin, dryRun, replacePending]
}

extension Request {
    /// A part of the query, checked by the route's ``Operation`` before.
    func parameter(_ name: String) -> String? { uri.queryParameters[name[...]].map(String.init) }

    func flag(_ name: String) -> Bool { parameter(name) == "true" }

    func integer(_ name: String) -> Int? { parameter(name).flatMap { Int($0) } }

    /// The media type of the body, without its parameters, in small letters; `nil` when the request names none.
    /// - Throws: 415 for text in anything but UTF-8.
    func mediaType() throws(Problem) -> String? {
        guard let header = headers[.contentType] else { return nil }
        let parts = header.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
        for part in parts.dropFirst() where part.hasPrefix("charset=") {
            let charset = part.dropFirst(8).trimmingCharacters(in: CharacterSet(charactersIn: "\""))
            guard charset == "utf-8" || charset == "us-ascii" else { throw Problem(.unsupportedMediaType, "text is UTF-8 here") }
        }
        return parts.first
    }
}
