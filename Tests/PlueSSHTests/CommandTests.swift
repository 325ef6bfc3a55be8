import Foundation
import PlueConfig
import PlueSSH
import SystemPackage
import TestGround
import Testing

@Suite("A command through the real ssh", .timeLimit(.minutes(2)))
struct CommandTests {
    @Test("its words, its output and its exit status arrive")
    func exec() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let said = try await scratch.ssh(stage.port, #"say one 'two  words' "th\"ree" fo\ ur '' "#)
                #expect(said.output == "[one][two  words][th\"ree][fo ur][]\n")
                #expect(said.errors == "")
                #expect(said.status == 0)
                for status in [1, 7, 65, 254] { #expect(try await scratch.ssh(stage.port, "status", "\(status)").status == status) }
                let warned = try await scratch.ssh(stage.port, "warn")
                #expect((warned.output, warned.errors, warned.status) == ("out\n", "err\n", 3))
                #expect(try await scratch.ssh(stage.port, "no-such").status == 127)
            }
        }
    }

    @Test(
        "a line that is no command line is refused in words, with EX_USAGE", arguments: ["say 'open", #"say "open"#, "say a | b", "say \\"])
    func noCommandLine(line: String) async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let result = try await scratch.ssh(stage.port, line)
                #expect(result.status == 64)
                #expect(result.errors.count > 10)
                #expect(result.output == "")
            }
        }
    }
}

@Suite("What a command writes", .timeLimit(.minutes(3)))
struct OutputTests {
    @Test("twenty megabytes arrive as they were written, also when keys are exchanged on the way and the client is slow")
    func big() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let size = 20_000_000
                let expected = Stage.pattern(size)
                let quick = try await scratch.ssh(stage.port, "bytes", "\(size)")
                #expect(quick.status == 0)
                #expect(quick.bytes == expected)
                let rekeying = try await scratch.ssh(stage.port, "bytes", "\(size)", options: ["-o", "RekeyLimit=1M"])
                #expect(rekeying.status == 0)
                #expect(rekeying.bytes == expected)
                let slow = try Process(
                    "ssh", scratch.arguments(stage.port, key: "ada") + ["bytes", "\(size / 10)"], pace: .milliseconds(20))
                slow.endInput()
                let result = try await slow.result()
                #expect(result.status == 0)
                #expect(result.bytes == Array(expected.prefix(size / 10)))
            }
        }
    }

    @Test("a writer waits for a client that does not read, and hears when it is gone")
    func backPressure() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let deaf = try Process("ssh", scratch.arguments(stage.port, key: "ada") + ["flood"], pace: .seconds(600))
                try await eventually("the command runs") { stage.running == 1 }
                // Others are served meanwhile.
                for _ in 0..<5 { #expect(try await scratch.ssh(stage.port, "status", "5").status == 5) }
                // What is unread waits in the client's window of 2 MB and the system's buffers; more is not even written.
                var written = 0
                try await eventually("the writer waits") {
                    defer { written = stage.flooded }
                    try await Task.sleep(for: .milliseconds(300))
                    return written == stage.flooded
                }
                #expect(written < 16 << 20)
                #expect(stage.running == 1)
                deaf.kill()
                try await eventually("the command ends") { stage.running == 0 }
                #expect(stage.refused + stage.cancelled == 1)
            }
        }
    }

    @Test("a client that leaves cancels its command")
    func leaves() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let client = try scratch.start(stage.port, "wait")
                try await eventually("the command runs") { client.output == "waiting\n" }
                client.kill()
                try await eventually("it is cancelled") { stage.cancelled == 1 && stage.running == 0 }
                try await eventually("the connection is gone") { stage.server.connectionCount == 0 }
            }
        }
    }

    @Test("twenty clients at once are served side by side")
    func parallel() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<20 {
                        group.addTask {
                            let result = try await scratch.ssh(stage.port, "bytes", "\(100_000 + number)")
                            #expect(result.bytes == Stage.pattern(100_000 + number))
                            #expect(result.status == 0)
                        }
                    }
                    try await group.waitForAll()
                }
                try await eventually("all have left") { stage.server.connectionCount == 0 }
            }
        }
    }
}
