import OrderedCollections
public import PlueConfig

/// Edits as they travel between the command line and the daemon: `application/vnd.plue.edits+json`.
///
/// ```json
/// {"edits":[{"set":"server.port","to":"8081"},{"set":"server.port","to":"8081","in":"base.ini"},
///           {"reencrypt":"base.ini","values":{"enc:v1:…":"enc:v1:…"}},{"remove":"server.debug"},{"removeSection":"labels"},
///           {"replace":"production.ini","with":"[server]\n…"},{"removeDocument":"production.d/10-x.ini"}]}
/// ```
public enum EditsJSON {
    public static let mediaType = "application/vnd.plue.edits+json"

    public static func json(_ edits: Edits) -> JSONValue { ["edits": .array(edits.steps.compactMap(json))] }

    private static func json(_ edit: Edits.Edit) -> JSONValue? {
        switch edit {
        case .set(let key, let text): ["set": .string(key.description), "to": .string(text)]
        case .setIn(let document, let key, let text):
            ["set": .string(key.description), "to": .string(text), "in": .string(document)]
        case .reencrypt(let document, let values):
            [
                "reencrypt": .string(document),
                "values": .object(OrderedDictionary(uniqueKeysWithValues: values.map { ($0.key, .string($0.value)) })),
            ]
        case .remove(let key): ["remove": .string(key.description)]
        case .removeSection(let section): ["removeSection": .string(section)]
        case .replace(let document, let bytes): ["replace": .string(document), "with": .string(String(decoding: bytes, as: UTF8.self))]
        case .removeDocument(let document): ["removeDocument": .string(document)]
        // Versions are named, never sent; and what cannot be made is not asked for.
        case .restore, .impossible: nil
        }
    }

    /// What is wrong with a body, as a sentence.
    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Throws: ``Malformed``.
    public static func edits(from json: JSONValue) throws(Malformed) -> Edits {
        guard json.members.count == 1, case .array(let elements)? = json["edits"] else {
            throw Malformed(description: "the body is an object with the one member 'edits', a list")
        }
        var edits = Edits()
        for (index, element) in elements.enumerated() {
            guard let edit = edit(from: element) else {
                throw Malformed(
                    description:
                        "edit \(index + 1) is not one of set/to, set/to/in, reencrypt/values, remove, removeSection, replace/with, removeDocument"
                )
            }
            edits.steps.append(edit)
        }
        guard !edits.isEmpty else { throw Malformed(description: "there is no edit in it") }
        return edits
    }

    private static func edit(from json: JSONValue) -> Edits.Edit? {
        let members = json.members
        switch (members.count, members.keys.first) {
        case (2, "set"), (2, "to"):
            guard let key = json["set"]?.string.flatMap({ SettingKey($0) }), let text = json["to"]?.string else { return nil }
            return .set(key, to: text)
        case (3, _) where json["set"] != nil:
            guard let key = json["set"]?.string.flatMap({ SettingKey($0) }), let text = json["to"]?.string,
                let document = json["in"]?.string
            else { return nil }
            return .setIn(document: document, key, to: text)
        case (2, "reencrypt"), (2, "values"):
            guard let document = json["reencrypt"]?.string, let values = json["values"]?.members,
                values.values.allSatisfy({ $0.string != nil })
            else { return nil }
            return .reencrypt(
                document: document,
                Dictionary(values.compactMap { name, value in value.string.map { (name, $0) } }, uniquingKeysWith: { $1 }))
        case (1, "remove"): return json["remove"]?.string.flatMap { SettingKey($0) }.map { .remove($0) }
        case (1, "removeSection"): return json["removeSection"]?.string.map { .removeSection($0) }
        case (2, "replace"), (2, "with"):
            guard let document = json["replace"]?.string, let text = json["with"]?.string else { return nil }
            return .replace(document: document, with: Array(text.utf8))
        case (1, "removeDocument"): return json["removeDocument"]?.string.map { .removeDocument($0) }
        default: return nil
        }
    }
}
