import Crypto
import Foundation
import PlueAudit
import PlueConfig
import PlueDaemon
import SystemPackage

/// What this user last saw of an installation's audit log: its public key, and a checkpoint that whatever comes later has to agree with.
///
/// Kept in the user's own directory, so that each operator's machine is a witness that a rewritten log does not know of.
struct Witness {
    private let path: FilePath

    /// - Parameter directory: The state directory that is witnessed.
    init(of directory: FilePath, _ variables: [String: String]) {
        let home =
            variables["XDG_STATE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? (variables["HOME"].map { $0 + "/.local/state" } ?? "/var/lib")
        let resolved = URL(filePath: directory.string).resolvingSymlinksInPath().path
        let name = SHA256.hash(data: Data(resolved.utf8)).prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        path = FilePath(home).appending("plue/witness").appending(name)
    }

    /// What was seen; `nil` when nothing was.
    var seen: (key: VerifierKey, checkpoint: Checkpoint)? {
        guard let bytes = try? SystemFiles().read(path, limit: 65_536), let text = String(validating: bytes, as: UTF8.self),
            let end = text.firstIndex(of: "\n"), let key = VerifierKey(text[..<end]), let checkpoint = Checkpoint.all(in: text).last
        else { return nil }
        return (key, checkpoint)
    }

    /// - Throws: When the directory cannot be written; then the next look starts from what was seen before.
    func remember(_ key: VerifierKey, _ checkpoint: Checkpoint) throws {
        let directory = path.removingLastComponent()
        try FileManager.default.createDirectory(
            atPath: directory.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try Data("\(key.text)\n\n\(checkpoint.text)\n".utf8).write(to: URL(filePath: path.string), options: .atomic)
    }
}
