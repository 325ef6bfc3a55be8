import CLibSSH
import Foundation
import PlueConfig
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The host key of a server that names none: made once, and kept in its state directory, so that clients know it again.
enum HostKeyFile {
    static let name = "ssh_host_ed25519_key"

    /// The key's file; it is made when it is not there. Blocks.
    static func find(in directory: FilePath) throws(ServiceRefusal) -> SSHKeyFile {
        let path = directory.appending(name)
        if SystemFiles().status(of: path) == nil { try make(path, in: directory) }
        return SSHKeyFile(path)
    }

    private static func make(_ path: FilePath, in directory: FilePath) throws(ServiceRefusal) {
        let temporary = directory.appending(".\(name).\(UUID().uuidString)")
        do {
            // Nobody else may read it, from its first byte on; libssh opens what is there.
            let file = try FileDescriptor.open(
                temporary, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: [.ownerRead, .ownerWrite])
            defer {
                try? file.close()
                _ = temporary.withPlatformString { unlink($0) }
            }
            var key: ssh_key?
            guard ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) == SSH_OK, let key else { throw Errno.ioError }
            defer { ssh_key_free(key) }
            guard temporary.withPlatformString({ ssh_pki_export_privkey_file(key, nil, nil, nil, $0) }) == SSH_OK else {
                throw Errno.ioError
            }
            guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
            // A link, not a rename: a key that another process has made meanwhile stays, and its clients know it.
            let made = temporary.withPlatformString { from in path.withPlatformString { link(from, $0) } }
            if made != 0, errno != EEXIST { throw Errno(rawValue: errno) }
            let holder = try FileDescriptor.open(directory, .readOnly, options: [.closeOnExec, .directory])
            defer { try? holder.close() }
            _ = fsync(holder.rawValue)
        } catch {
            throw ServiceRefusal("no host key can be made in \(directory): \((error as? Errno) ?? .ioError)")
        }
    }
}
