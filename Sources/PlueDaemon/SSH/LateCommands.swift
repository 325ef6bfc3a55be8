import PlueSSH
import Synchronization

/// The commands of an ssh server that is there before them: they tell of it, and it runs them.
final class LateCommands: Sendable {
    private let commands = Mutex<SSHCommands?>(nil)

    func are(_ commands: SSHCommands) { self.commands.withLock { $0 = commands } }

    /// - Returns: The command's exit status.
    func run(_ line: SSHCommand) async -> UInt8 {
        guard let commands = commands.withLock({ $0 }) else { return 1 }
        return await commands.run(line)
    }
}
