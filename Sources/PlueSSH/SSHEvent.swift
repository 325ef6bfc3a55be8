public import PlueConfig

/// What happens at the door, for the log and the audit.
public enum SSHEvent: Hashable, Sendable {
    /// Somebody's key was accepted.
    case loggedIn(actor: String, role: Role, address: String)
    /// A client that tried to prove who it is is gone without having done so. At most one for each connection.
    /// - Parameters:
    ///   - user: The name it gave, shortened, with nothing in it that cannot be seen. It decides nothing.
    ///   - reason: `public key SHA256:…`, `password`: what it tried last, or why that was not enough.
    case loginRefused(user: String, address: String, reason: String)
    /// The connection of somebody who was logged in is gone.
    /// - Parameter reason: Why the server closed it; `nil` when the client left.
    case loggedOut(actor: String, address: String, reason: String?)
}
