/// A plain struct that holds configuration, and the schema that says what may be in it.
///
/// ```swift
/// struct ServerSettings: Settings {
///     var host = "127.0.0.1"
///     var port = 8080
///
///     static let schema = Schema<Self> {
///         Setting("host", \.host, .notEmpty, "Address the listener binds.")
///         Setting("port", \.port, .required, .range(1...65535), "TCP port.")
///     }
/// }
/// ```
///
/// The struct stays plain: readers touch stored properties and nothing else. The values that `init()` gives are the defaults.
public protocol Settings: Sendable {
    /// Every setting at its default.
    init()
    /// The single description of the struct's settings; declare it as `static let`.
    static var schema: Schema<Self> { get }

    /// Given, to the outermost struct, every setting of a configuration that was found valid, the application's own sections and
    /// what is at its default included: for a struct that passes all of it on, as to a template. Does nothing unless implemented.
    mutating func adopt(_ everything: SettingTable)
}

extension Settings {
    public mutating func adopt(_ everything: SettingTable) {}
}
