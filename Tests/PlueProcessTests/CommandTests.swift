import Foundation
import PlueConfig
import SystemPackage
import TestGround
import Testing

@testable import PlueProcess

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

@Suite("A command", .timeLimit(.minutes(2)))
struct CommandTests {
    private func run(_ words: String..., within deadline: Duration = .seconds(30)) async throws -> Command.Outcome {
        try await #require(Command(words)).run(within: deadline)
    }

    private func shell(_ script: String, within deadline: Duration = .seconds(30)) async throws -> Command.Outcome {
        try await run("/bin/sh", "-c", script, within: deadline)
    }

    @Test("it says how it ended and what it wrote, errors too")
    func outcome() async throws {
        let good = try await shell("echo out; echo err >&2")
        #expect(good.isSuccess)
        #expect(good.output.text == "out\nerr\n")
        let bad = try await shell("echo no; exit 7")
        #expect(bad.ending == .exited(7))
        #expect(bad.problem(of: "check (sh)", within: .seconds(1), Redaction()) == "check (sh) exited with status 7: no")
        let killed = try await shell("kill -9 $$")
        #expect(killed.problem(of: "check (sh)", within: .seconds(1), Redaction()) == "check (sh) was ended by signal 9")
        #expect(good.problem(of: "check", within: .seconds(1), Redaction()) == nil)
    }

    @Test("what is written is what the program gets: no shell takes part")
    func words() async throws {
        let outcome = try await run("printf", "%s|", "$HOME", "a b", "*", "`id`", "; true", "")
        #expect(outcome.output.text == "$HOME|a b|*|`id`|; true||")
    }

    @Test("places are filled in, wherever they stand in a word")
    func places() throws {
        let command = try #require(Command(["check", "--config={file}", "{file}", "{other}"], filling: ["{file}": "/a b"]))
        #expect(command.words == ["check", "--config=/a b", "/a b", "{other}"])
        #expect(command.name == "check")
        #expect(Command([]) == nil)
    }

    @Test(
        "a program that cannot be run is told of",
        arguments: [
            (["plue-no-such-program"], "there is no such program"), (["/no/such/program"], "there is no such program"),
            ([""], "it has no name"),
            (["./relative"], "'./relative' is neither a path from / nor the name of a program in PATH"),
            (["true", "a\0b"], "an argument contains a NUL"),
            (["/etc/hostname"], nil),
        ])
    func notStarted(_ words: [String], _ expected: String?) async throws {
        let ending = try await #require(Command(words)).run(within: .seconds(30)).ending
        guard case .notStarted(let why) = ending else {
            Issue.record("\(ending)")
            return
        }
        if let expected { #expect(why == expected) }
        #expect(!why.isEmpty)
    }

    @Test("it gets a search path, a language, and nothing else of this process: no variables, no input, no descriptors")
    func environment() async throws {
        setenv("PLUE_TEST_SECRET", "open sesame", 1)
        let variables = try await run("env")
        #expect(variables.output.text.split(separator: "\n").map { $0.prefix(while: { $0 != "=" }) }.sorted() == ["LANG", "PATH"])
        let descriptors = try await shell("cat; ls /proc/self/fd; pwd; ps -o sid= -p $$ | tr -d ' '; echo $$")
        let lines = descriptors.output.text.split(separator: "\n").map(String.init)
        // 3 is the directory that ls reads.
        #expect(lines.prefix(4) == ["0", "1", "2", "3"])
        #expect(lines.dropFirst(4).first == "/")
        #expect(lines.dropFirst(5).first == lines.last, "it has a session of its own")
    }

    @Test("it may write as much as it likes")
    func much() async throws {
        let outcome = try await shell("echo start; yes | head -c 5000000; echo end")
        #expect(outcome.isSuccess)
        #expect(outcome.output.text.hasPrefix("start\n"))
        #expect(outcome.output.text.hasSuffix("\nend\n"))
    }

    @Test("at its deadline it is ended with all it started, and what it wrote is kept")
    func deadline() async throws {
        try await Scratch.run { scratch in
            // The child takes no notice of SIGTERM; the shell ends of it.
            let outcome = try await shell(
                "(trap '' TERM; echo $(exec sh -c 'echo $PPID') > \(scratch["child"]); while :; do sleep 1; done) & echo begun; wait",
                within: .seconds(2))
            #expect(outcome.ending == .overdue)
            #expect(outcome.output.text == "begun\n")
            let problem = outcome.problem(of: "reload (sh)", within: .seconds(2), Redaction())
            #expect(problem == "reload (sh) did not end within 2.0 seconds and was stopped: begun")
            try await expectGone(pid(scratch.read("child")))
        }
    }

    @Test("one that closes its output and goes on is ended as well")
    func silent() async throws {
        let outcome = try await shell("exec >/dev/null 2>&1; exec sleep 60", within: .milliseconds(300))
        #expect(outcome.ending == .overdue)
    }

    @Test("when nobody waits for it any more, it is ended")
    func abandoned() async throws {
        try await Scratch.run { scratch in
            let task = Task { try await shell("echo $$ > \(scratch["pid"]); trap '' TERM; while :; do sleep 1; done") }
            try await eventually("it has begun") { (try? scratch.read("pid").hasSuffix("\n")) == true }
            task.cancel()
            #expect(try await task.value.ending == .abandoned)
            try await expectGone(pid(scratch.read("pid")))
        }
    }

    @Test("a daemon that it leaves behind in another session goes on, and keeps nobody waiting")
    func daemon() async throws {
        try await Scratch.run { scratch in
            let outcome = try await shell("setsid sh -c 'echo $$ > \(scratch["pid"]); exec sleep 60' & sleep 0.1; echo started")
            #expect(outcome.isSuccess)
            try await eventually("it has begun") { (try? scratch.read("pid").hasSuffix("\n")) == true }
            let pid = try pid(scratch.read("pid"))
            #expect(kill(pid, 0) == 0)
            kill(pid, SIGKILL)
        }
    }

    @Test("nothing is left of commands that have ended: no processes, no descriptors")
    func leaks() async throws {
        _ = try await shell("true")
        let before = try descriptors()
        for index in 0..<20 { _ = try await shell(index.isMultiple(of: 2) ? "exit 1" : "sleep 60", within: .milliseconds(200)) }
        // Other tests open and close pipes beside this one.
        try await eventually("descriptors") { try descriptors() <= before + 10 }
    }

    private func pid(_ text: String) throws -> pid_t {
        try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    private func expectGone(_ pid: pid_t, at location: SourceLocation = #_sourceLocation) async throws {
        try await eventually("process \(pid) has ended", at: location) {
            guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return true }
            // Its parent was ended too; whoever inherited it may not reap it.
            return stat.contains(") Z ")
        }
    }

    private func descriptors() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
}
