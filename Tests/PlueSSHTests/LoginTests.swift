import Foundation
import PlueConfig
import PlueSSH
import SystemPackage
import TestGround
import Testing

@Suite("Login", .timeLimit(.minutes(2)))
struct LoginTests {
    @Test("a key of each type opens the door; its comment is the actor, its option the role", arguments: ["ed25519", "ecdsa", "rsa"])
    func types(type: String) async throws {
        try await Scratch.with { scratch async throws in
            try await scratch.makeKey("grace", type: type, comment: "grace hopper @ navy")
            try scratch.authorize("grace", "environment=\"PLUE_ROLE=operator\"")
            try await Stage.run(scratch) { stage async throws in
                let result = try await scratch.ssh(stage.port, "who", key: "grace")
                #expect(result.output == "ssh:grace hopper @ navy operator 127.0.0.1\n")
                #expect(result.status == 0)
                #expect(stage.events.first == .loggedIn(actor: "ssh:grace hopper @ navy", role: .operator, address: "127.0.0.1"))
                try await eventually("the logout is told") { stage.events.count == 2 }
                #expect(stage.events.last == .loggedOut(actor: "ssh:grace hopper @ navy", address: "127.0.0.1", reason: nil))
            }
        }
    }

    @Test("a key without a comment is called by its fingerprint, and one without a role is a viewer's")
    func noComment() async throws {
        try await Scratch.with { scratch async throws in
            let words = try scratch.read("ada.pub").split(separator: " ")
            try scratch.write("\(words[0]) \(words[1])\n", to: "authorized_keys")
            let print = try await run("ssh-keygen", "-l", "-f", scratch.file("ada.pub").string).output.split(separator: " ")[1]
            try await Stage.run(scratch) { stage async throws in
                #expect(try await scratch.ssh(stage.port, "who").output == "ssh:\(print) viewer 127.0.0.1\n")
            }
        }
    }

    @Test("a key that is not in the file is refused, and told of with its fingerprint")
    func unknown() async throws {
        try await Scratch.with { scratch async throws in
            try await scratch.makeKey("eve")
            let print = try await run("ssh-keygen", "-l", "-f", scratch.file("eve.pub").string).output.split(separator: " ")[1]
            try await Stage.run(scratch) { stage async throws in
                let result = try await scratch.ssh(stage.port, "who", key: "eve")
                #expect(result.status == 255)
                #expect(result.errors.contains("Permission denied (publickey)"))
                try await eventually("the refusal is told") { !stage.events.isEmpty }
                #expect(stage.events == [.loginRefused(user: "operator", address: "127.0.0.1", reason: "public key \(print)")])
                #expect(try await scratch.ssh(stage.port, "status", "4").status == 4)
            }
        }
    }

    @Test("'from' and 'expiry-time' keep out whom they are meant to keep out")
    func conditions() async throws {
        try await Scratch.with { scratch async throws in
            for (name, options) in [
                ("far", "from=\"10.0.0.0/8\""), ("near", "from=\"10.0.0.0/8,127.0.0.*\""), ("not", "from=\"127.*,!127.0.0.1\""),
                ("past", "expiry-time=\"20200101\""), ("future", "expiry-time=\"20990101Z\""),
            ] {
                try await scratch.makeKey(name)
                try scratch.authorize(name, options)
            }
            try await Stage.run(scratch) { stage async throws in
                for (name, status) in [("far", 255), ("near", 0), ("not", 255), ("past", 255), ("future", 0)] as [(String, Int32)] {
                    #expect(try await scratch.ssh(stage.port, "status", "0", key: name).status == status, "\(name)")
                }
            }
        }
    }

    @Test("passwords are refused, and who tries on is shown out")
    func passwords() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let said = try await hostile("password", stage, [])
                // The answer to the last may be lost in the end of the connection.
                #expect(Set(said.dropLast()) == ["only publickey"], "\(said)")
                #expect((5...6).contains(said.count - 1), "\(said)")
                #expect(said.last == "ended")
                try await eventually("the refusal is told") { !stage.events.isEmpty }
                #expect(stage.events == [.loginRefused(user: "root", address: "127.0.0.1", reason: "password")])
            }
        }
    }

    @Test("an authorized key with another's signature opens nothing")
    func forged() async throws {
        try await Scratch.with { scratch async throws in
            try await scratch.makeKey("eve")
            try await Stage.run(scratch) { stage async throws in
                #expect(
                    try await hostile("forged", stage, [scratch.file("ada").string, scratch.file("eve").string]) == [
                        "login refused", "nobody",
                    ])
                #expect(!stage.events.contains { if case .loggedIn = $0 { true } else { false } })
            }
        }
    }

    @Test("the banner is shown before the login, also to who is refused, and may change")
    func banner() async throws {
        try await Scratch.with { scratch async throws in
            try await scratch.makeKey("eve")
            try await Stage.run(scratch, { $0.banner = "Property of Åse & Co.\nBe gone." }) { stage async throws in
                let verbose = ["-o", "LogLevel=INFO"]
                let result = try await scratch.ssh(stage.port, "status", "2", options: verbose)
                #expect(result.status == 2)
                #expect(result.errors.contains("Property of Åse & Co.\r\nBe gone.\r\n"))
                #expect(try await scratch.ssh(stage.port, "status", "2", key: "eve", options: verbose).errors.contains("Be gone."))
                try await stage.commit(scratch.settings { $0.banner = "" })
                #expect(try await !scratch.ssh(stage.port, "status", "2", options: verbose).errors.contains("Be gone."))
            }
        }
    }
}

/// Runs a client that misbehaves; the lines it prints.
func hostile(_ what: String, _ stage: Stage, _ keys: [String]) async throws -> [String] {
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "hostile.py").path
    // The system's Python, which is the one that Debian's packages are for.
    let process = try Process("/usr/bin/python3", [script, what, "\(stage.port)"] + keys)
    process.endInput()
    let result = try await process.result()
    #expect(result.status == 0, "\(result.errors)")
    return result.output.split(separator: "\n").map(String.init)
}
