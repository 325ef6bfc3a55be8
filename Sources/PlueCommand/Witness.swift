import Crypto
import Foundation
import PlueAudit
import PlueConfig
import PlueDaemon
import SystemPackage

/// What this user last saw of an installation's audit log: its public key, and a checkpoint that whatever comes later has to agree with.
///
/// Kept in the user's own directory and not with the state: who puts an older state in its place does not put this back, and each
/// operator's account is a witness that a rewritten log does not know of.
struct Witness {
    enum Memory {
        case nothing
        case seen(VerifierKey, Checkpoint)
        /// There is a memory, and it cannot be read: it says neither this nor that.
        case unreadable(String)
    }

    let path: FilePath

    /// - Parameter directory: The state directory that is witnessed.
    init(of directory: FilePath, _ variables: [String: String]) {
        let home =
            variables["XDG_DATA_HOME"].flatMap { $0.isEmpty ? nil : $0 }
            ?? (variables["HOME"].map { $0 + "/.local/share" } ?? "/root/.local/share")
        let resolved = URL(filePath: directory.string).resolvingSymlinksInPath().path
        let name = SHA256.hash(data: Data(resolved.utf8)).prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        path = FilePath(home).appending("plue/witness").appending(name)
    }

    var memory: Memory {
        let bytes: [UInt8]
        do throws(FileReadError) {
            bytes = try SystemFiles().read(path, limit: 65_536)
        } catch {
            if error.cause == .missing { return .nothing }
            return .unreadable("\(error)")
        }
        guard let text = String(validating: bytes, as: UTF8.self), let end = text.firstIndex(of: "\n"), let key = VerifierKey(text[..<end]),
            let checkpoint = Checkpoint.all(in: text).last
        else { return .unreadable("\(path) is not what was remembered") }
        return .seen(key, checkpoint)
    }

    /// - Throws: When the directory cannot be written; then the next look starts from what was seen before.
    func remember(_ key: VerifierKey, _ checkpoint: Checkpoint) throws {
        let directory = path.removingLastComponent()
        try FileManager.default.createDirectory(
            atPath: directory.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try Data("\(key.text)\n\n\(checkpoint.text)\n".utf8).write(to: URL(filePath: path.string), options: .atomic)
    }

    /// Puts what was seen aside, beside its place.
    /// - Throws: When that cannot be written.
    func forget() throws {
        let aside = path.string + ".forgotten"
        if FileManager.default.fileExists(atPath: aside) { try FileManager.default.removeItem(atPath: aside) }
        try FileManager.default.moveItem(atPath: path.string, toPath: aside)
    }
}
