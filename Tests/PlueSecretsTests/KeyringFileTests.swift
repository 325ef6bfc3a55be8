import Dispatch
import Foundation
import PlueConfig
import Synchronization
import SystemPackage
import Testing

@testable import PlueSecrets

@Suite struct `A keyring's file` {
    let keyring: Keyring

    init() throws { keyring = Keyring(try .counting(from: 0), created: .someDay) }

    private func reading(_ path: FilePath, _ origin: KeyringFile.Origin = .explicit) -> Result<Keyring, KeyringFileError> {
        Result { () throws(KeyringFileError) in try KeyringFile(path, origin: origin).read().keyring }
    }

    // MARK: - Where it is

    @Test func `Is where the nearest of four says, and where it is named it is not looked for elsewhere`() {
        let variables = ["PLUE_KEYRING_FILE": "/named", "CREDENTIALS_DIRECTORY": "/run/credentials/plue.service"]
        func locate(_ path: FilePath?, _ keep: [String], passed: Bool = true) -> KeyringFile {
            KeyringFile.locate(path, variables: variables.filter { keep.contains($0.key) }, stateDirectory: "/state") { _ in passed }
        }
        let both = Array(variables.keys)
        #expect(locate("/given", both) == KeyringFile("/given", origin: .explicit))
        #expect(locate("/given", both, passed: false) == KeyringFile("/given", origin: .explicit))
        #expect(locate(nil, both) == KeyringFile("/named", origin: .variable))
        #expect(locate(nil, both, passed: false) == KeyringFile("/named", origin: .variable))
        let credential = KeyringFile("/run/credentials/plue.service/plue.keyring", origin: .credential)
        #expect(locate(nil, ["CREDENTIALS_DIRECTORY"]) == credential)
        // systemd passes some other credential.
        #expect(locate(nil, ["CREDENTIALS_DIRECTORY"], passed: false) == KeyringFile("/state/keyring", origin: .stateDirectory))
        #expect(locate(nil, []) == KeyringFile("/state/keyring", origin: .stateDirectory))
        let empty = ["PLUE_KEYRING_FILE": "", "CREDENTIALS_DIRECTORY": ""]
        #expect(KeyringFile.locate(variables: empty, stateDirectory: "/state").origin == .stateDirectory)
    }

    // MARK: - Who may read and write it

    @Test(.enabled(if: geteuid() == 0))
    func `Root works for the user of the directory, and leaves the file to that user`() throws {
        try withScratch { directory in
            chown(directory.string, 65_534, 65_534)
            let path = directory.appending("keyring")
            let file = KeyringFile(path, origin: .stateDirectory)
            let reading = try file.create(keyring)
            try file.replace(reading, with: keyring)
            var found = stat()
            #expect(stat(path.string, &found) == 0 && found.st_uid == 65_534 && found.st_gid == 65_534)
            #expect(self.reading(path, .stateDirectory) == .success(keyring))
            chown(path.string, 65_533, 65_533)
            #expect(self.reading(path, .stateDirectory) == .failure(.foreignOwner(path, uid: 65_533)))
        }
    }

    @Test func `Is read when it is one user's alone`() throws {
        try withScratch { directory in
            let path = directory.appending("keyring")
            try KeyringFile(path).create(keyring)
            for mode in [0o600, 0o400, 0o700] {
                chmod(path.string, mode_t(mode))
                #expect(reading(path) == .success(keyring))
            }
        }
    }

    @Test(arguments: [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o666, 0o440])
    func `Is refused when group or others may do anything with it`(mode: Int) throws {
        try withScratch { directory in
            let path = directory.appending("keyring")
            try write(KeyringTexts.good, to: path, mode: mode)
            let found = reading(path)
            #expect(found == .failure(.openToOthers(path, mode: UInt32(mode), allowed: 0o600)))
            guard case .failure(let error) = found else { return }
            #expect(error.description.contains("chmod 0600 \(path)") && error.description.contains("0\(String(mode, radix: 8))"))
        }
    }

    @Test func `As a credential may have the mode that systemd gives it, and no more`() throws {
        try withScratch { directory in
            let path = directory.appending("plue.keyring")
            for mode in [0o400, 0o440, 0o600] {
                try write(KeyringTexts.good, to: path)
                chmod(path.string, mode_t(mode))
                #expect(reading(path, .credential) == .success(keyring))
                #expect((try? reading(path, .explicit).get() == keyring) == (mode != 0o440 ? true : nil))
                chmod(path.string, 0o600)
            }
            for mode in [0o444, 0o460, 0o450, 0o404] {
                chmod(path.string, mode_t(mode))
                #expect(reading(path, .credential) == .failure(.openToOthers(path, mode: UInt32(mode), allowed: 0o400)))
            }
        }
    }

    @Test(arguments: [0o720, 0o702, 0o777, 0o770])
    func `Is refused where others could put another in its place`(mode: Int) throws {
        try withScratch { root in
            let directory = root.appending("open")
            let path = directory.appending("keyring")
            try KeyringFile(path).create(keyring)
            chmod(directory.string, mode_t(mode))
            #expect(reading(path) == .failure(.directoryOpenToOthers(directory, mode: UInt32(mode))))
            #expect(throws: KeyringFileError.directoryOpenToOthers(directory, mode: UInt32(mode))) {
                try KeyringFile(directory.appending("another")).create(keyring)
            }
            // As in /tmp, where everybody has files and nobody can replace those of others.
            chmod(directory.string, mode_t(mode | 0o1000))
            #expect(reading(path) == .success(keyring))
            // Through a link from a good directory it is as bad.
            chmod(directory.string, mode_t(mode))
            let link = root.appending("link")
            symlink(path.string, link.string)
            #expect(reading(link) == .failure(.directoryOpenToOthers(resolved(directory), mode: UInt32(mode))))
        }
    }

    @Test func `Is refused through a link that others could turn elsewhere`() throws {
        try withScratch { root in
            let path = root.appending("keyring")
            try KeyringFile(path).create(keyring)
            let open = root.appending("open")
            mkdir(open.string, 0o700)
            chmod(open.string, 0o777)
            symlink(path.string, open.appending("keyring").string)
            #expect(reading(open.appending("keyring")) == .failure(.directoryOpenToOthers(open, mode: 0o777)))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `Is refused when it, or its directory, belongs to somebody else`() throws {
        try withScratch { root in
            let directory = root.appending("theirs")
            let path = directory.appending("keyring")
            try KeyringFile(path).create(keyring)
            chown(path.string, 65_534, 65_534)
            #expect(reading(path) == .failure(.foreignOwner(path, uid: 65_534)))
            chown(path.string, 0, 0)
            chown(directory.string, 65_534, 65_534)
            #expect(reading(path) == .failure(.directoryOfOther(directory, uid: 65_534)))
        }
    }

    @Test func `Is read through the links of a mounted Kubernetes secret`() throws {
        try withScratch { root in
            let mount = root.appending("mount")
            let data = mount.appending("..2026_11_24")
            try KeyringFile(data.appending("plue.keyring")).create(keyring)
            symlink("..2026_11_24", mount.appending("..data").string)
            symlink("..data/plue.keyring", mount.appending("plue.keyring").string)
            chmod(mount.string, 0o1777)
            #expect(reading(mount.appending("plue.keyring")) == .success(keyring))
        }
    }

    @Test func `Says what is there instead, without waiting for it`() throws {
        try withScratch { directory in
            let path = directory.appending("keyring")
            #expect(reading(path) == .failure(.missing(path)))
            #expect(reading(path.appending("below")) == .failure(.missing(path.appending("below"))))
            mkdir(path.string, 0o700)
            #expect(reading(path) == .failure(.notRegular(path)))
            rmdir(path.string)
            mkfifo(path.string, 0o600)
            #expect(reading(path) == .failure(.notRegular(path)))
            unlink(path.string)
            symlink("nowhere", path.string)
            #expect(reading(path) == .failure(.missing(path)))
            unlink(path.string)
            try write(String(repeating: "#\n", count: 200_000), to: path)
            #expect(reading(path) == .failure(.tooLarge(path)))
            try write("[key.x]\n", to: path)
            guard case .failure(.invalid(path, let problem)) = reading(path) else { Issue.record("\(reading(path))"); return }
            #expect(problem.description.hasPrefix("\(path):1:2: [key.x] is not a key's section"))
        }
    }

    // MARK: - Writing

    @Test func `Is made with its directory, and never over another`() throws {
        try withScratch { root in
            let file = KeyringFile(root.appending("deep/state/keyring"), origin: .stateDirectory)
            try file.create(keyring)
            #expect(mode(of: file.path) == 0o600)
            #expect(mode(of: root.appending("deep/state")) == 0o700 && mode(of: root.appending("deep")) == 0o700)
            #expect(throws: KeyringFileError.exists(file.path)) { try file.create(Keyring(DataKey(), created: .someDay)) }
            #expect(try file.read().keyring == keyring)
            // Nor over what is no keyring.
            let other = root.appending("other")
            try write("something", to: other)
            #expect(throws: KeyringFileError.exists(other)) { try KeyringFile(other).create(keyring) }
            symlink("nowhere", root.appending("link").string)
            #expect(throws: KeyringFileError.exists(root.appending("link"))) { try KeyringFile(root.appending("link")).create(keyring) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: root.string).sorted() == ["deep", "link", "other"])
        }
    }

    @Test func `Has its mode whatever the umask`() async {
        await #expect(processExitsWith: .success) {
            try withScratch { root in
                for mask: mode_t in [0, 0o777] {
                    umask(mask)
                    let file = KeyringFile(root.appending("\(mask)/keyring"))
                    let reading = try file.create(Keyring(DataKey(), created: .someDay))
                    #expect(mode(of: file.path) == 0o600)
                    try file.replace(reading, with: reading.keyring)
                    #expect(mode(of: file.path) == 0o600)
                    #expect(mode(of: root.appending("\(mask)")) == 0o700)
                }
            }
        }
    }

    @Test func `Is replaced only if it still is what the change was made from`() throws {
        try withScratch { root in
            let file = KeyringFile(root.appending("keyring"))
            let first = try file.create(keyring)
            var next = keyring
            try next.add(DataKey(), created: .someDay)
            let second = try file.replace(first, with: next)
            #expect(try file.read().keyring == next)
            #expect(throws: KeyringFileError.changedMeanwhile(file.path)) { try file.replace(first, with: keyring) }
            #expect(try file.read().keyring == next)
            var last = next
            try last.promote(try #require(next.entries.last?.id))
            try file.replace(second, with: last)
            unlink(file.path.string)
            #expect(throws: KeyringFileError.changedMeanwhile(file.path)) { try file.replace(second, with: last) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: root.string) == [])
        }
    }

    @Test func `Is replaced where a link leads, and the link stays`() throws {
        try withScratch { root in
            let target = KeyringFile(root.appending("real/keyring"))
            try target.create(keyring)
            let file = KeyringFile(root.appending("keyring"))
            symlink("real/keyring", file.path.string)
            var next = keyring
            try next.add(DataKey(), created: .someDay)
            try file.replace(try file.read(), with: next)
            #expect(try target.read().keyring == next)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: file.path.string) == "real/keyring")
        }
    }

    @Test func `Loses no key when many write at once`() throws {
        try withScratch { root in
            let file = KeyringFile(root.appending("keyring"))
            try file.create(keyring)
            let problems = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 4) { _ in
                for _ in 0..<12 {
                    do {
                        while true {
                            let reading = try file.read()
                            var next = reading.keyring
                            try next.add(DataKey(), created: .someDay)
                            do { try file.replace(reading, with: next) } catch KeyringFileError.changedMeanwhile { continue }
                            break
                        }
                    } catch {
                        problems.withLock { $0.append("\(error)") }
                    }
                }
            }
            #expect(problems.withLock { $0 } == [])
            #expect(try file.read().keyring.entries.count == 49)
        }
    }

    @Test func `Is whole again after a writer that was killed half-way`() throws {
        try withScratch { root in
            let file = KeyringFile(root.appending("keyring"))
            let reading = try file.create(keyring)
            let leftover = root.appending(".keyring.plue-tmp")
            try write("[key.k3265311639]\nstate = act", to: leftover)
            #expect(try file.read().keyring == keyring)
            try file.replace(reading, with: keyring)
            #expect(!FileManager.default.fileExists(atPath: leftover.string))
            // Nor does a link of that name lead a writer astray.
            try write("precious", to: root.appending("precious"))
            symlink("precious", leftover.string)
            try file.replace(try file.read(), with: keyring)
            #expect(try String(contentsOfFile: root.appending("precious").string, encoding: .utf8) == "precious")
        }
    }

    @Test func `As a credential is not written at all`() throws {
        try withScratch { root in
            let path = root.appending("plue.keyring")
            let reading = try KeyringFile(path).create(keyring)
            let file = KeyringFile(path, origin: .credential)
            #expect(throws: KeyringFileError.readOnlyCredential(path)) { try file.replace(reading, with: keyring) }
            #expect(throws: KeyringFileError.readOnlyCredential(path)) { try file.create(keyring) }
        }
    }

    @Test func `Waits for another writer, but not for ever`() throws {
        try withScratch { root in
            let file = KeyringFile(root.appending("keyring"))
            let reading = try file.create(keyring)
            let descriptor = open(root.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            defer { close(descriptor) }
            #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
            #expect(throws: KeyringFileError.busy(file.path)) { try file.replace(reading, with: keyring) }
            #expect(flock(descriptor, LOCK_UN) == 0)
            try file.replace(reading, with: keyring)
        }
    }

    private func resolved(_ path: FilePath) -> FilePath { KeyringFile.resolved(path) ?? path }
}
