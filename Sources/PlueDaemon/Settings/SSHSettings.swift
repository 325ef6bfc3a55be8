public import PlueConfig
import PlueSSH
import SystemPackage

/// `[ssh]`: the SSH server.
public struct SSHSettings: Settings {
    public var enabled = false
    public var host = "127.0.0.1"
    public var port = 2222
    public var hostKey: WatchedFile?
    public var authorizedKeys: WatchedFile?
    public var maxConnections = 100
    public var idleTimeout: Duration = .seconds(600)
    public var banner = ""
    public var terminateRevoked = false

    public init() {}

    public static let schema = Schema<Self> {
        Setting("enabled", \.enabled, "Whether the SSH server runs.")
        Setting("host", \.host, .notEmpty, "Address or name the listener binds.")
        Setting("port", \.port, .range(0...65535), "TCP port; 0 takes a free one.")
        Setting("host_key", \.hostKey, .readable, .privateMode, "Private host key; one is made in the state directory when unset.")
        Setting("authorized_keys", \.authorizedKeys, .readable, "Public keys that may log in, in OpenSSH's format.")
        Setting("max_connections", \.maxConnections, .range(1...10_000), "Most clients that are logged in at once.")
        Setting("idle_timeout", \.idleTimeout, .range(.seconds(1) ... .seconds(86_400)), "How long a session may be silent.")
        Setting("banner", \.banner, .length(0...4096), "Shown before login.")
        Setting("terminate_revoked", \.terminateRevoked, "Whether taking a key away ends the sessions that it opened.")
        Rule("authorized_keys says who may log in where enabled is set", blames: \.enabled, \.authorizedKeys) { settings, _ in
            !settings.enabled || settings.authorizedKeys != nil
        }
        Rule("authorized_keys is a file of public keys", blames: \.authorizedKeys) { settings, _ in
            guard let file = settings.authorizedKeys else { return nil }
            return file.content.withExposed { bytes in
                do throws(ServiceRefusal) {
                    _ = try AuthorizedKeys(parsing: bytes, name: file.path.string)
                    return nil
                } catch {
                    return error.message
                }
            }
        }
    }
}
