import PlueLedger
import PlueSSH

extension Doorkeeper {
    /// Keeps who was not let in by ssh. Who was is in the server's own log, and in the history with what they change.
    func note(_ event: SSHEvent) {
        guard case .loginRefused(let user, let address, let reason) = event else { return }
        note(AccessEvent(.failedLogin, actor: "ssh:\(user)", address: address, call: "ssh \(reason)"))
    }
}
