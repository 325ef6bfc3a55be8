import Foundation
import Testing

/// The built `plue`, from outside.
enum Binary {
    /// Beside the test bundle, where the build puts both.
    static let path: String = {
        var directory = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        // The tests run from the bundle itself or from the toolchain's runner with the bundle's path among its arguments.
        let candidates = [directory] + CommandLine.arguments.map { URL(filePath: $0).resolvingSymlinksInPath().deletingLastPathComponent() }
        for candidate in candidates where FileManager.default.isExecutableFile(atPath: candidate.appending(path: "plue").path) {
            return candidate.appending(path: "plue").path
        }
        directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../.build/debug").standardized
        return directory.appending(path: "plue").path
    }()
}

/// A directory of one test's own, gone with it.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "plue-e2e-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: path + "/bin", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: path + "/bin/plue", withDestinationPath: Binary.path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws {
        let file = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file, options: .atomic)
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: path + "/" + name, encoding: .utf8) }

    /// What every command of a test sees: nothing of the machine's own settings.
    var environment: [String: String] {
        [
            "PATH": "\(path)/bin:/usr/bin:/bin", "HOME": path, "XDG_STATE_HOME": path + "/state", "LC_ALL": "C.UTF-8", "TERM": "xterm",
            "SWIFT_BACKTRACE": "enable=no",
        ]
    }

    /// Runs a shell command here: both outputs, as they came, and the exit code.
    func run(_ command: String, _ variables: [String: String] = [:]) async throws -> (output: String, code: Int32) {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command + "\n"]
        process.currentDirectoryURL = URL(filePath: path)
        process.environment = environment.merging(variables) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        return try await withCheckedThrowingContinuation { done in
            // Reading to the end blocks, which no shared thread may.
            Thread {
                do {
                    try process.run()
                    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                    process.waitUntilExit()
                    done.resume(returning: (text, process.terminationStatus))
                } catch {
                    done.resume(throwing: error)
                }
            }.start()
        }
    }
}
