/// What one instance of the server goes by, complete and unchanging.
struct Configuration: Sendable {
    let hostKeys: HostKeys
    let authorizedKeys: AuthorizedKeys
    let banner: String
    let terminatesRevoked: Bool
    let limits: SSHServerSettings.Limits
}
