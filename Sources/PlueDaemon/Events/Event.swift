import NIOCore
import OrderedCollections
import PlueConfig

/// A server-sent event, encoded once for all who are told of it.
struct Event: Sendable {
    let encoded: ByteBuffer
    /// The version that it makes known, which is the stream's place in the history.
    let version: Int?

    init(_ name: String, _ data: JSONValue, version: Int? = nil) {
        self.version = version
        let id = version.map { "id: \($0)\n" } ?? ""
        encoded = ByteBuffer(string: "\(id)event: \(name)\ndata: \(data.text())\n\n")
    }

    /// A comment that keeps the connection known to be alive.
    static let beat = Event(comment: "still here")

    private init(comment: String) {
        version = nil
        encoded = ByteBuffer(string: ": \(comment)\n\n")
    }

    /// The last one of a stream that is closed from here.
    static func end(_ reason: String) -> Event { Event("end", ["reason": .string(reason)]) }

    init(_ publication: Publication<DaemonSettings>) {
        let new = publication.new
        self.init(version: new.version, new.environment, changed: publication.changedKeys, digest: new.digest)
    }

    init(_ version: Version) {
        self.init(version: version.number, version.environment, changed: version.changedKeys, digest: version.digest)
    }

    private init(version: Int, _ environment: EnvironmentName, changed: [SettingKey], digest: String) {
        let data: JSONValue = [
            "version": .integer(version), "environment": .string(environment.rawValue),
            "changed": .array(changed.map { .string($0.description) }), "digest": .string(digest),
        ]
        self.init("version", data, version: version)
    }

    /// `{"waiting":true,"version":5,"fallback":4,"deadline":"…",…}`, or `{"waiting":false}`.
    init(_ confirmation: Confirmation?) {
        var data: JSONValue = ["waiting": .boolean(confirmation != nil)]
        for (name, value) in confirmation.map(StatusJSON.confirmation)?.members ?? [:] { data[name] = value }
        self.init("confirm", data)
    }
}
