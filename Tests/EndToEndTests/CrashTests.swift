import Foundation
import Testing

/// Changes of several documents, killed with SIGKILL: after each start the files, what runs and the history are one whole version.
///
/// `make soak` runs it for PLUE_SOAK_SECONDS.
@Suite struct CrashTests {
    static let steps = [
        "prepare", "before intend", "after intend", "activate", "verify", "stage app.ini", "stage app.d/2.ini", "stage app.d/3.ini",
        "replace app.ini", "replace app.d/2.ini", "replace app.d/3.ini", "sync", "before conclude", "after conclude",
    ]

    @Test(arguments: steps) func `Killed at a step, it comes back as one whole version`(step: String) async throws {
        let subject = try Subject()
        for occurrence in [1, 2, 7] { try await subject.live(until: step, occurrence) }
        try await subject.expectWhole()
    }

    @Test func `Killed at any moment of thousands of changes, it comes back as one whole version`() async throws {
        let seconds = ProcessInfo.processInfo.environment["PLUE_SOAK_SECONDS"].flatMap(Double.init) ?? 8
        let subject = try Subject()
        let end = ContinuousClock.now + .seconds(seconds)
        // On a busy machine a life may be too short to commit anything; the point is that some do.
        while ContinuousClock.now < end || (subject.newest <= 20 && ContinuousClock.now < end + .seconds(120)) {
            try await subject.live(for: .microseconds(Int.random(in: 1_000...400_000)))
        }
        try await subject.expectWhole()
        #expect(subject.newest > 20)
    }
}

/// The program that is killed, life after life in the same directories.
private final class Subject {
    private let scratch: Scratch
    private var seed = UInt64.random(in: 0...1_000_000)
    /// The newest version that was said to be committed.
    private(set) var newest = 0

    init() throws {
        scratch = try Scratch()
        try scratch.write("# one\n[one]\nn = 0\n", to: "config/app.ini")
        try scratch.write("[two]\nn = 0\n", to: "config/app.d/2.ini")
        try scratch.write("[three]\nn = 0\n\n# the end\n", to: "config/app.d/3.ini")
    }

    /// One life, ended by itself at a step.
    func live(until step: String, _ occurrence: Int) async throws { try await live(step, occurrence, nil) }

    /// One life, ended from outside.
    func live(for time: Duration) async throws { try await live("none", 0, time) }

    private func live(_ step: String, _ occurrence: Int, _ time: Duration?) async throws {
        seed += 1
        let process = Process()
        process.executableURL = URL(filePath: Binary.path).deletingLastPathComponent().appending(path: "CrashSubject")
        process.arguments = [scratch.path, String(seed), step, String(occurrence)]
        process.environment = scratch.environment
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let said = Task.detached {
            await withCheckedContinuation { done in
                Thread {
                    done.resume(returning: String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))
                }.start()
            }
        }
        // At a step it ends by itself; the time is the net under that.
        let deadline = ContinuousClock.now + (time ?? .seconds(60))
        while process.isRunning, ContinuousClock.now < deadline {
            try await Task.sleep(for: min(.milliseconds(5), deadline - .now))
        }
        if time == nil { #expect(!process.isRunning, "it never came to \(step)") }
        kill(process.processIdentifier, SIGKILL)
        let lines = await said.value.split(separator: "\n").map(String.init)
        #expect(lines.filter { $0.hasPrefix("BROKEN") }.isEmpty, "seed \(seed), \(step): \(lines)")
        let started = lines.first { $0.hasPrefix("started ") }.flatMap { Int($0.dropFirst("started ".count)) }
        // What was said to be committed before is there; one more may have been, without having been said.
        if let started { #expect((newest...newest + 1).contains(started) || newest == 0, "seed \(seed), \(step): \(newest) → \(started)") }
        let committed = lines.compactMap { $0.hasPrefix("committed ") ? Int($0.dropFirst("committed ".count)) : nil }
        newest = max(newest, started ?? 0, committed.last ?? 0)
    }

    /// One more start, after which no part of a write is left.
    func expectWhole() async throws {
        try await live(until: "started", 1)
        let files = FileManager.default.enumerator(atPath: scratch.path + "/config")?.compactMap { $0 as? String } ?? []
        #expect(files.filter { $0.contains("plue-tmp") }.isEmpty)
        #expect(files.contains("app.ini"))
    }
}
