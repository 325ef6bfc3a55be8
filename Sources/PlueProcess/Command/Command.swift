import Dispatch
import Foundation
import Subprocess
import Synchronization
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A program and its arguments. No shell takes part: what is written is what the program gets, word by word.
///
/// It runs in a session of its own, in `/`, with nothing to read, no descriptor but its output, and an environment of `PATH` and
/// `LANG=C`.
struct Command: Sendable, Hashable {
    /// The program and its arguments, in which `{file}` and the like have been filled in.
    let words: [String]

    /// What it is called in sentences: its arguments may be nobody's business.
    var name: String { words.first.map { FilePath($0).lastComponent?.string ?? $0 } ?? "" }

    /// - Parameter places: What stands for a word or a part of one, such as `{file}`.
    /// - Returns: `nil` for no words at all, which is a command that there is none.
    init?(_ words: [String], filling places: [String: FilePath] = [:]) {
        guard !words.isEmpty else { return nil }
        self.words = words.map { word in
            places.reduce(word) { word, place in word.replacingOccurrences(of: place.key, with: place.value.string) }
        }
    }

    /// How it ended, and what it wrote.
    struct Outcome: Sendable {
        enum Ending: Sendable, Hashable {
            case exited(Int32)
            case signaled(Int32)
            /// It did not end in time, and was ended.
            case overdue
            /// Nobody waits for it any more, and it was ended.
            case abandoned
            /// There is no such program, or it may not be run; why, in words.
            case notStarted(String)
        }

        let ending: Ending
        let output: CommandOutput

        var isSuccess: Bool { ending == .exited(0) }
    }

    /// How long a program that was told to end may take to do so before it is killed.
    private static let grace: Duration = .milliseconds(500)

    /// Runs it. At the deadline, or when the calling task is cancelled, it and all it started are told to end, and killed if they
    /// do not; nothing is left of it when this returns. What it leaves running on purpose, such as a daemon, has to have left its
    /// process group.
    func run(within deadline: Duration) async -> Outcome {
        let output = SharedOutput()
        let ending: Outcome.Ending = await withTaskGroup(of: Outcome.Ending?.self) { group in
            group.addTask { await execute(collecting: output) }
            group.addTask {
                try? await Task.sleep(for: deadline)
                return nil
            }
            // The timer comes first also when the caller is cancelled.
            let first = await group.next().flatMap(\.self)
            let isAbandoned = Task.isCancelled
            group.cancelAll()
            await group.waitForAll()
            return first ?? (isAbandoned ? .abandoned : .overdue)
        }
        return Outcome(ending: ending, output: output.value)
    }

    private func execute(collecting output: SharedOutput) async -> Outcome.Ending {
        guard let program = words.first, !program.isEmpty else { return .notStarted("it has no name") }
        guard program.hasPrefix("/") || !program.contains("/") else {
            return .notStarted("'\(program)' is neither a path from / nor the name of a program in PATH")
        }
        guard !words.contains(where: { $0.utf8.contains(0) }) else { return .notStarted("an argument contains a NUL") }
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: Self.grace)]
        do {
            let result = try await Subprocess.run(
                program.hasPrefix("/") ? .path(FilePath(program)) : .name(program), arguments: Arguments(Array(words.dropFirst())),
                environment: .custom(["PATH": Self.path, "LANG": "C"]), workingDirectory: "/", platformOptions: options,
                input: .none, output: .sequence, error: .combinedWithOutput
            ) { execution in
                do {
                    for try await part in execution.standardOutput { output.append(part) }
                } catch {
                    // What was read so far is what there is.
                }
                // It may have closed its output and go on. As long as it is not reaped, its number and its group's are its own.
                while Self.isRunning(execution.processIdentifier.value) { await Self.pause() }
                if Task.isCancelled { try? execution.send(signal: .kill, toProcessGroup: true) }
            }
            return switch result.terminationStatus {
            case .exited(let code): .exited(code)
            case .signaled(let signal): .signaled(signal)
            }
        } catch let error as SubprocessError {
            return .notStarted(
                error.code == .executableNotFound
                    ? "there is no such program" : error.underlyingError.map(\.description) ?? "the system refused")
        } catch {
            return .notStarted("it was given up")
        }
    }

    /// This process's own search path, or the usual one.
    private static var path: String {
        ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    }

    /// Whether a child of this process has not ended yet; it stays to be reaped.
    private static func isRunning(_ process: pid_t) -> Bool {
        var info = siginfo_t()
        #if canImport(Darwin)
        return waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo == 0
        #else
        return waitid(P_PID, id_t(process), &info, Int32(WEXITED | WNOHANG | WNOWAIT)) == 0 && info.si_signo == 0
        #endif
    }

    /// A pause that a cancelled task takes as well.
    private static func pause() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(2)) { continuation.resume() }
        }
    }
}

/// Where the output goes while the program runs; what came before a deadline is kept.
private final class SharedOutput: Sendable {
    private let output = Mutex(CommandOutput())

    var value: CommandOutput { output.withLock { $0 } }

    func append(_ part: SubprocessOutputSequence.Buffer) {
        part.withUnsafeBytes { bytes in output.withLock { $0.append(bytes) } }
    }
}

extension Command.Outcome {
    /// What went wrong, as a sentence; `nil` when nothing did.
    /// - Parameter what: What the command is for, with its name: `reload (nginx)`.
    func problem(of what: String, within deadline: Duration, _ redaction: Redaction) -> String? {
        let words = output.lastLines(redaction)
        let said = words.isEmpty ? "" : ": \(words)"
        return switch ending {
        case .exited(0): nil
        case .exited(let code): "\(what) exited with status \(code)\(said)"
        case .signaled(let signal): "\(what) was ended by signal \(signal)\(said)"
        case .overdue: "\(what) did not end within \(deadline) and was stopped\(said)"
        case .abandoned: "\(what) was stopped, because the change was given up"
        case .notStarted(let why): "\(what) could not be started: \(why)"
        }
    }
}
