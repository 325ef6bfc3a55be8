import Foundation
import OrderedCollections
public import PlueConfig
import PlueLedger

/// A token that somebody asks for, found to be one that can be made.
public struct TokenRequest: Sendable {
    public let name: String
    public let role: Role
    /// `nil` for all.
    public let sections: [String]?
    public let lifetime: Duration?

    /// What is wrong with a wish, as a sentence.
    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - sections: Empty for all.
    ///   - lifetime: As settings write it: `30d`.
    ///   - schema: Which sections there are.
    /// - Throws: ``Malformed``.
    public init(name: String, role: String, sections: [String], lifetime: String?, schema: SectionModel) throws(Malformed) {
        guard name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._-]{0,63}/) != nil else {
            throw Malformed(description: "a token's name has 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first")
        }
        guard let role = Role(rawValue: role) else {
            throw Malformed(description: "a role is \(Role.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        for section in sections where schema.section(named: section) == nil && !schema.sectionNames.contains(section) {
            let meant = suggestion(for: section, among: schema.sectionNames).map { "; did you mean '\($0)'?" } ?? ""
            throw Malformed(description: "there is no section '\(VisibleText.of(section))'\(meant)")
        }
        var duration: Duration?
        if let lifetime {
            guard let time = try? Duration(setting: .scalar(lifetime)), Self.lifetimes.contains(time) else {
                throw Malformed(description: "a token lives between a second and ten years, as in 30d")
            }
            duration = time
        }
        self.name = name
        self.role = role
        self.sections = sections.isEmpty ? nil : Set(sections).sorted()
        self.lifetime = duration
    }

    private static let lifetimes: ClosedRange<Duration> = .seconds(1) ... .seconds(3650 * 86_400)

    /// From a body: `{"name":"ci","role":"operator","sections":["server"],"expires":"30d"}`.
    init(_ json: JSONValue, schema: SectionModel) throws(Malformed) {
        let known: Set = ["name", "role", "sections", "expires"]
        guard json.members.keys.allSatisfy(known.contains), let name = json["name"]?.string, let role = json["role"]?.string,
            Self.isAbsent(json["sections"]) || json["sections"]?.elements.contains(where: { $0.string == nil }) == false,
            Self.isAbsent(json["expires"]) || json["expires"]?.string != nil
        else {
            throw Malformed(description: "the body is {\"name\":…,\"role\":…,\"sections\":[…],\"expires\":\"30d\"}, the last two optional")
        }
        if case .array(let elements)? = json["sections"], elements.isEmpty {
            throw Malformed(description: "an empty list of sections would open nothing; leave it out for all")
        }
        try self.init(
            name: name, role: role, sections: json["sections"]?.elements.compactMap(\.string) ?? [], lifetime: json["expires"]?.string,
            schema: schema)
    }

    private static func isAbsent(_ value: JSONValue?) -> Bool { value == nil || value == .null }

    /// What is kept of it.
    func stored(_ token: AccessToken, madeBy actor: String, at time: Date) -> StoredToken {
        StoredToken(
            name: name, digest: token.digest, role: role, sections: sections, madeBy: actor, madeAt: time,
            expiresAt: lifetime.map { time.addingTimeInterval($0 / .seconds(1)) })
    }
}

/// Tokens, as the API and the command line give them.
public enum TokenAnswer {
    /// `{"name":"ci","token":"plue_…","role":"operator","sections":["server"],"expires":"2026-12-24T12:00:00Z"}`
    static func created(_ token: AccessToken, _ stored: StoredToken) -> JSONValue {
        [
            "name": .string(stored.name), "token": .string(token.text), "role": .string(stored.role.rawValue),
            "sections": sections(stored.sections), "expires": time(stored.expiresAt),
        ]
    }

    /// `{"tokens":[{"name","role","sections","madeBy","madeAt","expires","expired","lastUsed"}]}`
    static func list(_ tokens: [StoredToken], at now: Date) -> JSONValue {
        [
            "tokens": .array(
                tokens.map { token in
                    [
                        "name": .string(token.name), "role": .string(token.role.rawValue), "sections": sections(token.sections),
                        "madeBy": .string(token.madeBy), "madeAt": time(token.madeAt), "expires": time(token.expiresAt),
                        "expired": .boolean(token.expiresAt.map { $0 <= now } ?? false), "lastUsed": time(token.usedAt),
                    ]
                })
        ]
    }

    static func sections(_ sections: [String]?) -> JSONValue { sections.map { .array($0.map { .string($0) }) } ?? .null }

    static func time(_ time: Date?) -> JSONValue { time.map { .string($0.formatted(.iso8601)) } ?? .null }
}
