import PlueConfig
import SystemPackage

/// A secret in plain text: the one answer that holds one.
enum RevealAnswer {
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
}
