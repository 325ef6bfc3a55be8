import Foundation
import Logging
import PlueConfig
import PlueLedger
import Synchronization
import SystemPackage

/// A program that changes its configuration without end, three documents at a time, until it is killed: by itself at a step, or
/// by the test at any moment. What it says on its output, it has committed.
///
/// At each start it looks whether what it finds is one whole version; if not it says `BROKEN` and why.
@main
struct CrashSubject {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let seed = UInt64(arguments[2]), let occurrence = Int(arguments[4]) else { exit(64) }
        let directory = FilePath(arguments[1])
        // `none`, or the step to die at, the time it is reached that often.
        let killer = Killer(step: arguments[3], occurrence: occurrence)

        let logger = Logger(label: "subject") { _ in SwiftLogNoOpLogHandler() }
        let ledger = try Ledger(directory: directory.appending("state"), logger: logger)
        let newest = try await ledger.history(HistoryQuery(limit: 1, includesRejected: false)).entries.first?.version
        var source = DirectorySource(directory.appending("config"), variables: [:])
        source.beforeStep = { step throws(Errno) in killer.reached(step) }
        var options = ConfigManager<Numbers>.Options()
        options.recorder = KillingRecorder(ledger: ledger, killer: killer)
        options.followsHangup = false
        options.logger = logger
        let manager = try await ConfigManager(Numbers.self, source: source, environment: "app", options: options)
        try manager.register(KillingService(killer: killer), following: ["one"], named: "one") { $0.one.n }
        try await manager.start()

        // One whole version: in the files, in what runs, in the history.
        let running = manager.snapshot
        let value = running.value
        guard value.one.n == value.two.n, value.two.n == value.three.n else { broken("\(value) is a mixture") }
        if let newest {
            guard running.version == newest.number else { broken("version \(running.version) runs, but \(newest.number) was the newest") }
            guard running.digest == newest.digest else { broken("version \(running.version) is not what was committed under that number") }
        }
        guard try await ledger.unfinishedWrites().isEmpty else { broken("something is unfinished still") }
        say("started \(running.version)")
        killer.isArmed.store(true, ordering: .sequentiallyConsistent)
        killer.reached("started")

        var random = SplitMix(state: seed)
        var n = value.one.n
        while true {
            n += 1
            let outcome: ReloadOutcome
            if random.next() % 4 == 0, manager.snapshot.version > 2 {
                // Some of these bring back what runs already.
                let version = 1 + Int(random.next() % UInt64(manager.snapshot.version))
                outcome = try await manager.rollback(to: version, replacesPending: true)
            } else {
                let confirm: Duration? = random.next() % 8 == 0 ? .seconds(3600) : nil
                var request = ChangeRequest(
                    Edits(["one", "two", "three"].map { .set(SettingKey(section: $0, name: "n"), to: "\(n)") }),
                    cause: Cause(.api, actor: "subject"), confirmWithin: confirm, replacesPending: true)
                // A document that comes and goes.
                if random.next() % 8 == 0 {
                    request.edits.steps.append(.replace(document: "app.d/9-extra.ini", with: Array("# \(n)\n".utf8)))
                }
                outcome = try await manager.apply(request)
            }
            if case .committed(let version, _) = outcome { say("committed \(version)") }
            if case .rejected(let attempt) = outcome { broken("a change was refused: \(attempt.problem ?? "")") }
        }
    }

    static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    static func broken(_ why: String) -> Never {
        say("BROKEN \(why)")
        exit(1)
    }
}

struct Number: Settings {
    var n = 0
    static let schema = Schema<Self> { Setting("n", \.n) }
}

struct Numbers: Settings {
    var one = Number()
    var two = Number()
    var three = Number()
    static let schema = Schema<Self> {
        Section("one", \.one)
        Section("two", \.two)
        Section("three", \.three)
    }
}

/// Ends the process where it is told, as the power does: nothing is cleaned up.
final class Killer: Sendable {
    private let step: String
    private let occurrence: Int
    private let seen = Atomic(0)
    let isArmed = Atomic(false)

    init(step: String, occurrence: Int) {
        self.step = step
        self.occurrence = occurrence
    }

    func reached(_ name: String) {
        guard name == step, isArmed.load(ordering: .sequentiallyConsistent) else { return }
        if seen.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue == occurrence { kill(getpid(), SIGKILL) }
    }

    func reached(_ step: WriteStep) {
        switch step {
        case .stage(let name): reached("stage \(name)")
        case .replace(let name): reached("replace \(name)")
        case .sync: reached("sync")
        }
    }
}

/// The ledger, with a look at the killer before and after each write.
struct KillingRecorder: Recorder {
    let ledger: Ledger
    let killer: Killer

    func intend(_ intent: Intent) async throws -> Int {
        killer.reached("before intend")
        let id = try await ledger.intend(intent)
        killer.reached("after intend")
        return id
    }

    func conclude(_ conclusion: Conclusion) async throws -> Version? {
        killer.reached("before conclude")
        let version = try await ledger.conclude(conclusion)
        killer.reached("after conclude")
        return version
    }

    func reject(_ attempt: Attempt) async throws { try await ledger.reject(attempt) }
    func history(_ query: HistoryQuery) async throws -> HistoryPage { try await ledger.history(query) }
    func documents(of version: Int) async throws -> [StoredDocument]? { try await ledger.documents(of: version) }
    func unfinishedWrites() async throws -> [UnfinishedWrite] { try await ledger.unfinishedWrites() }
    func restored(_ attempt: Int) async throws { try await ledger.restored(attempt) }
    func pendingConfirmation(of environment: EnvironmentName) async throws -> Confirmation? {
        try await ledger.pendingConfirmation(of: environment)
    }
    func endConfirmation(of version: Int, by cause: Cause) async throws { try await ledger.endConfirmation(of: version, by: cause) }
}

struct KillingService: LiveService {
    let killer: Killer

    func prepare(_ settings: Int, beside live: Int?) async throws -> Int {
        killer.reached("prepare")
        return settings
    }
    func activate(_ next: Int) async -> Int? {
        killer.reached("activate")
        return nil
    }
    func verify(_ live: Int) async throws { killer.reached("verify") }
    func retire(_ instance: Int) async {}
}

struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
