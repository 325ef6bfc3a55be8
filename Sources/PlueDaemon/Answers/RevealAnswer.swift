public import PlueConfig
import SystemPackage

/// A secret in plain text: the one answer that holds one.
public enum RevealAnswer {
    /// `{"key":"security.jwt_secret","value":"…"}`; `null` for a setting that has no value.
    static func json(_ setting: EffectiveSetting) -> JSONValue {
        let value: JSONValue =
            switch setting.content {
            case .unset: .null
            case .plain(let value): JSONValue(value)
            // The path is the setting's value; what the file holds is the file's.
            case .file(let file, _): .string(file.path.string)
            case .secret(let secret): secret.withExposed { JSONValue($0) }
            }
        return ["key": .string(setting.key.description), "value": value]
    }

    /// The value for people, a list's items behind commas; `nil` when there is none.
    public static func text(_ answer: JSONValue) -> String? {
        switch answer["value"] {
        case nil, .null: nil
        case .string(let text): text
        case .array(let items): items.map { $0.string ?? $0.text() }.joined(separator: ", ")
        case .some(let value): value.text()
        }
    }
}
