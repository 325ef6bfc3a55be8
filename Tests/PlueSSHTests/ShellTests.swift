import Foundation
import PlueConfig
import PlueSSH
import SystemPackage
import TestGround
import Testing

@Suite("A shell through the real ssh", .timeLimit(.minutes(2)))
struct ShellTests {
    @Test("without a terminal it carries out what comes in, line by line, and ends with the last status")
    func piped() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let result = try await scratch.ssh(
                    stage.port, input: "say one\nsay 'two\nwarn\n\nwho\r\nstatus 9")
                #expect(result.output == "[one]\nout\nssh:ada@test viewer 127.0.0.1\n")
                #expect(result.errors == "the quote ' is not closed\nerr\n")
                #expect(result.status == 9)
                #expect(try await scratch.ssh(stage.port, input: "say one\nexit 7\nsay never\n").status == 7)
                #expect(try await scratch.ssh(stage.port, input: "status 3\nexit\n").status == 3)
                #expect(try await scratch.ssh(stage.port, input: "").status == 0)
            }
        }
    }

    @Test("a script longer than what is kept at a time arrives whole, in order")
    func longScript() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                // 3 MB: more than the window, many times what is kept.
                let lines = (0..<600).map { "say \($0) \(String(repeating: "x", count: 5_000))" }
                let result = try await scratch.ssh(stage.port, input: lines.joined(separator: "\n"))
                #expect(result.status == 0)
                let numbers = result.output.split(separator: "\n").map { $0.prefix { $0 != "]" } }
                #expect(numbers == lines.indices.map { "[\($0)" })
            }
        }
    }

    @Test("on a terminal it prompts, echoes, corrects, remembers, and ends on ^D")
    func terminal() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let session = try scratch.start(stage.port, options: ["-tt"])
                try await eventually("the prompt") { session.output == "plue> " }
                session.send("sxx\u{7F}\u{7F}ay hi\r")
                try await eventually("the answer") { session.output.hasSuffix("say hi\r\n[hi]\r\nplue> ") }
                session.send("\u{1B}[A\r")
                try await eventually("the answer again") {
                    session.output.hasSuffix("say hi\r\n[hi]\r\nplue> ") && session.output.count(of: "[hi]") == 2
                }
                session.send("who\r")
                try await eventually("a terminal is known") { session.output.hasSuffix("viewer 127.0.0.1 terminal\r\nplue> ") }
                session.send("status 6\r\u{4}")
                session.endInput()
                #expect(try await session.result().status == 6)
            }
        }
    }

    @Test("^C cancels the command that runs, and the shell goes on")
    func interrupt() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let session = try scratch.start(stage.port, options: ["-tt"])
                session.send("wait\r")
                try await eventually("the command runs") { session.output.hasSuffix("waiting\r\n") }
                session.send("say never\r\u{3}")
                try await eventually("it is cancelled") { stage.cancelled == 1 }
                try await eventually("the prompt") { session.output.hasSuffix("^C\r\nplue> ") }
                session.send("say still\r\u{4}")
                let result = try await session.result()
                #expect(result.output.contains("[still]\r\n"))
                #expect(!result.output.contains("never]"))
            }
        }
    }

    @Test("^C cancels a single command on a terminal too")
    func interruptCommand() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let session = try scratch.start(stage.port, "wait", options: ["-tt"])
                try await eventually("the command runs") { session.output == "waiting\r\n" }
                session.send("\u{3}")
                // As shells say it: 128 and SIGINT.
                #expect(try await session.result().status == 130)
                #expect(stage.cancelled == 1)
            }
        }
    }

    @Test("a key with 'restrict' gets a shell, and no terminal")
    func noTerminal() async throws {
        try await Scratch.with { scratch async throws in
            try await scratch.makeKey("bot")
            try scratch.authorize("bot", "restrict")
            try await Stage.run(scratch) { stage async throws in
                let asked = try await scratch.ssh(stage.port, "who", key: "bot", options: ["-tt"])
                #expect(asked.errors.contains("PTY allocation request failed"))
                #expect(asked.status == 255)
                #expect(try await scratch.ssh(stage.port, key: "bot", input: "who\n").output == "ssh:bot@test viewer 127.0.0.1\n")
            }
        }
    }
}

extension String {
    fileprivate func count(of text: String) -> Int { ranges(of: text).count }
}
