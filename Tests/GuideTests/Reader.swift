import Foundation
import Testing

/// Somebody who types a page's commands into a shell, one after the other, in a directory of their own.
final class Reader: Sendable {
    let directory: URL
    private let helpers: Helpers

    /// What runs beside the rest.
    private actor Helpers {
        private(set) var all: [Process] = []
        func add(_ process: Process) { all.append(process) }
    }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "plue-guide-\(UUID().uuidString.prefix(8))")
        helpers = Helpers()
        try FileManager.default.createDirectory(at: directory.appending(path: "bin"), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            at: directory.appending(path: "bin/plue"), withDestinationURL: Built.products.appending(path: "plue"))
    }

    /// Ends what runs, and takes the directory away.
    func leave() async {
        for process in await helpers.all where process.isRunning {
            process.terminate()
            let deadline = ContinuousClock.now + .seconds(20)
            while process.isRunning, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        }
        try? FileManager.default.removeItem(at: directory)
    }

    func write(_ text: String, to name: String) throws {
        let file = directory.appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file, options: .atomic)
    }

    /// Runs a command, and complains when it does not print what it should.
    func type(_ command: String, expecting expected: [String], at place: String) async throws {
        // What changes by itself may take a moment; only commands that look may be given more than once.
        let looks = ["curl ", "cat ", "plue status", "plue show", "plue history", "plue explain"].contains { command.hasPrefix($0) }
        let deadline = ContinuousClock.now + .seconds(20)
        var printed: [String] = []
        if command.hasSuffix("&") {
            let log = try await start(String(command.dropLast()))
            repeat {
                printed = Self.lines(try String(contentsOf: log, encoding: .utf8))
                if Guide.matches(printed[...], (expected + ["…"])[...]) { return }
                try await Task.sleep(for: .milliseconds(50))
            } while ContinuousClock.now < deadline
        } else {
            repeat {
                printed = Self.lines(try await run(command))
                if Guide.matches(printed[...], expected[...]) { return }
                if looks { try await Task.sleep(for: .milliseconds(100)) }
            } while looks && ContinuousClock.now < deadline
        }
        Issue.record(
            "\(place): $ \(command)\nprinted\n\(printed.joined(separator: "\n"))\ninstead of\n\(expected.joined(separator: "\n"))")
    }

    private static func lines(_ output: String) -> [String] {
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return Array(lines.reversed().drop { $0.isEmpty }.reversed())
    }

    // MARK: - Processes

    /// Variables that a command exports are there for the next one.
    private static let variables = #"[ ! -f "$HOME/.variables" ] || . "$HOME/.variables""#

    private func run(_ command: String) async throws -> String {
        let process = shell("\(Self.variables)\n\(command)\nexport -p > \"$HOME/.variables\"", within: "60")
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        return try await withCheckedThrowingContinuation { done in
            // Reading to the end blocks, which no shared thread may.
            Thread {
                do {
                    try process.run()
                    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                    process.waitUntilExit()
                    done.resume(returning: text)
                } catch {
                    done.resume(throwing: error)
                }
            }.start()
        }
    }

    private func start(_ command: String) async throws -> URL {
        let log = directory.appending(path: ".log-\(UUID().uuidString)")
        try Data().write(to: log)
        let process = shell("\(Self.variables)\nexec env \(command)")
        let output = try FileHandle(forWritingTo: log)
        process.standardOutput = output
        process.standardError = output
        try process.run()
        await helpers.add(process)
        return log
    }

    private func shell(_ script: String, within seconds: String? = nil) -> Process {
        let process = Process()
        let limit = seconds.map { ["timeout", "--kill-after=5", $0] } ?? []
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = limit + ["bash", "-c", script]
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle.nullDevice
        process.environment = [
            "PATH": "\(directory.path)/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": directory.path, "LC_ALL": "C.UTF-8", "TERM": "dumb",
            "XDG_STATE_HOME": directory.path + "/.local/state", "REPOSITORY": Built.repository.path, "SWIFT_BACKTRACE": "enable=no",
        ]
        return process
    }
}

/// Where the repository and its products are.
enum Built {
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

    /// Beside the test bundle, where the build puts both.
    static let products: URL = {
        let candidates = CommandLine.arguments.map { URL(filePath: $0).resolvingSymlinksInPath().deletingLastPathComponent() }
        let found = candidates.first { FileManager.default.isExecutableFile(atPath: $0.appending(path: "plue").path) }
        return found ?? repository.appending(path: ".build/debug")
    }()
}

/// Ports that nobody has at this moment, with four digits, so that places in documents stay what they are.
struct FreePorts {
    private var taken: [String: String] = [:]

    /// What stands for each of the ports 8000 to 8099 of a text; the same port, the same one.
    mutating func replaced(in text: String) -> String {
        text.replacing(/\b80\d\d\b/.wordBoundaryKind(.simple)) { match in
            let named = String(match.output)
            let port = taken[named] ?? Self.free(except: Set(taken.values))
            taken[named] = port
            return port
        }
    }

    static func free(except taken: Set<String> = []) -> String {
        while true {
            let port = UInt16.random(in: 3000...7999)
            guard !taken.contains("\(port)") else { continue }
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
            if status == 0 { return "\(port)" }
        }
    }
}
