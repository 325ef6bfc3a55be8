import Foundation
import PlueConfig
import PlueSSH
import SystemPackage
import TestGround
import Testing

@Suite("Authorized keys that change while sessions are open", .timeLimit(.minutes(2)))
struct KeyTests {
    @Test("a key that is added opens the door; one that is removed does not, and its session lives on")
    func addedAndRemoved() async throws {
        try await Scratch.with { scratch async throws in
            try await scratch.makeKey("grace")
            try await Stage.run(scratch) { stage async throws in
                #expect(try await scratch.ssh(stage.port, "status", "1", key: "grace").status == 255)
                let session = try scratch.start(stage.port, "until")
                try await eventually("it prints") { !session.output.isEmpty }
                try scratch.write(try scratch.read("grace.pub"), to: "authorized_keys")
                try await stage.commit(scratch.settings())
                #expect(try await scratch.ssh(stage.port, "status", "1", key: "grace").status == 1)
                #expect(try await scratch.ssh(stage.port, "status", "1", key: "ada").status == 255)
                stage.enough()
                #expect(try await session.result().status == 5)
            }
        }
    }

    @Test("with 'terminates revoked' the sessions of a removed key end, in words, and nobody else's")
    func terminated() async throws {
        try await Scratch.with { scratch async throws in
            try await scratch.makeKey("grace")
            try scratch.authorize("grace")
            try await Stage.run(scratch, { $0.terminatesRevoked = true }) { stage async throws in
                let (ada, grace) = (try scratch.start(stage.port, "wait"), try scratch.start(stage.port, "until", key: "grace"))
                try await eventually("both run") { !ada.output.isEmpty && !grace.output.isEmpty }
                try scratch.write(try scratch.read("grace.pub"), to: "authorized_keys")
                let old = try #require(await stage.change(to: scratch.settings { $0.terminatesRevoked = true }))
                // Until the transaction is over it could be reverted: no session ends for its sake.
                #expect(ada.isRunning)
                await stage.server.retire(old)
                let ended = try await ada.result()
                #expect(ended.status == 255)
                #expect(ended.errors.contains("your key is not authorized any more"))
                try await eventually("its command was cancelled") { stage.cancelled == 1 }
                stage.enough()
                #expect(try await grace.result().status == 5)
                try await eventually("the logout is told") {
                    stage.events.contains {
                        $0 == .loggedOut(actor: "ssh:ada@test", address: "127.0.0.1", reason: "your key is not authorized any more")
                    }
                }
            }
        }
    }

    @Test("with 'terminates revoked' a session ends when its key expires")
    func expires() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch, { $0.terminatesRevoked = true }) { stage async throws in
                let session = try scratch.start(stage.port, "wait")
                try await eventually("it runs") { !session.output.isEmpty }
                var style = Date.ISO8601FormatStyle(dateSeparator: .omitted, dateTimeSeparator: .standard, timeSeparator: .omitted)
                style.timeZone = .gmt
                let soon = Date(timeIntervalSinceNow: 2).formatted(style).filter { $0 != "T" }
                try scratch.write("expiry-time=\"\(soon)\" " + (try scratch.read("ada.pub")), to: "authorized_keys")
                try await stage.commit(scratch.settings { $0.terminatesRevoked = true })
                let ended = try await session.result()
                #expect(ended.errors.contains("your key has expired"))
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 255)
            }
        }
    }

    @Test("a role that is lowered counts from an open shell's next command on")
    func lowered() async throws {
        try await Scratch.with { scratch async throws in
            let key = try scratch.read("ada.pub")
            try scratch.write("environment=\"PLUE_ROLE=admin\" " + key, to: "authorized_keys")
            try await Stage.run(scratch) { stage async throws in
                let shell = try scratch.start(stage.port)
                shell.send("who\n")
                try await eventually("an admin") { shell.output == "ssh:ada@test admin 127.0.0.1\n" }
                try scratch.write(key, to: "authorized_keys")
                try await stage.commit(scratch.settings())
                shell.send("who\n")
                shell.endInput()
                #expect(try await shell.result().output == "ssh:ada@test admin 127.0.0.1\nssh:ada@test viewer 127.0.0.1\n")
            }
        }
    }

    @Test("content that came with the configuration counts, whatever the file holds by then")
    func content() async throws {
        try await Scratch.with { scratch async throws in
            let bytes = Array(try scratch.read("authorized_keys").utf8)
            try scratch.write("garbage", to: "authorized_keys")
            let file = SSHKeyFile(scratch.file("authorized_keys"), holding: Secret(bytes))
            try await Stage.run(scratch, { $0.authorizedKeys = file }) { stage async throws in
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 1)
            }
        }
    }

    @Test("bad lines refuse the whole file, each with its number, and what ran before goes on")
    func badLines() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                try scratch.write(
                    "# fine\n\(try scratch.read("ada.pub"))ssh-dss AAAA x\n\ncommand=\"ls\" \(try scratch.read("ada.pub"))",
                    to: "authorized_keys")
                let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(scratch.settings()) }
                let words = refusal?.description ?? ""
                #expect(words.hasPrefix("\(scratch.file("authorized_keys")): line 3 has a key of type ssh-dss"), "\(words)")
                #expect(words.contains("; line 5 has option 'command', which is not supported"), "\(words)")
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 1)
            }
        }
    }

    @Test("files that others could have changed or read are refused, with the way out")
    func modes() async throws {
        try await Scratch.with { scratch async throws in
            try await scratch.makeKey("host")
            func refusal(_ change: (inout SSHServerSettings) -> Void = { _ in }) async -> String {
                await #expect(throws: ServiceRefusal.self) { try await Stage().prepare(scratch.settings(change)) }?.description ?? ""
            }
            let host = SSHKeyFile(scratch.file("host"))
            for mode in [0o644, 0o640, 0o620, 0o604] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: host.path.string)
                #expect(
                    await refusal { $0.hostKeys = [host] }
                        == "the host key \(host.path) can be read or changed by others; 'chmod 600 \(host.path)' makes it acceptable")
            }
            let keys = scratch.file("authorized_keys")
            for mode in [0o620, 0o602, 0o666] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: keys.string)
                #expect(
                    await refusal()
                        == "the file of authorized keys \(keys) can be changed by others; 'chmod go-w \(keys)' makes it acceptable")
            }
            #expect(await refusal { $0.authorizedKeys = nil }.contains("nobody could log in"))
            #expect(await refusal { $0.authorizedKeys = SSHKeyFile("/nowhere") }.contains("/nowhere does not exist"))
        }
    }

    @Test("host keys that are not such are refused")
    func badHostKeys() async throws {
        try await Scratch.with { scratch async throws in
            func refusal(_ names: String...) async -> String {
                await #expect(throws: ServiceRefusal.self) {
                    try await Stage().prepare(scratch.settings { $0.hostKeys = names.map { SSHKeyFile(scratch.file($0)) } })
                }?.description ?? ""
            }
            try scratch.write("not a key", to: "text")
            #expect(await refusal("text").contains("is not a private key"))
            try await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", scratch.file("locked").string)
            #expect(await refusal("locked").contains("without a passphrase"))
            // Of an encrypted PEM, OpenSSL would ask on the terminal.
            try await run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret", "-f", scratch.file("pem").string)
            #expect(await refusal("pem").contains("without a passphrase"))
            try await run("ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", scratch.file("weak").string)
            #expect(await refusal("weak").contains("rsa with 2048 bits or more"))
            try await scratch.makeKey("one")
            try await scratch.makeKey("two")
            #expect(await refusal("one", "two").contains("there may be one of each"))
            #expect(await refusal("one.pub").contains("can be read or changed by others"))
        }
    }
}
