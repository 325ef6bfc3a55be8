import Foundation
import PlueConfig
import Subprocess
import SystemPackage

/// A document in plain text while it is edited: in a directory that nobody else may enter, gone with everything an editor leaves there.
final class PrivateCopy {
    private let directory: FilePath
    private let file: FilePath

    /// Memory first: what was on a disk can be found there long after it was deleted.
    private static var places: [String] {
        let runtime = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"].map { [$0] } ?? []
        return runtime + ["/dev/shm", NSTemporaryDirectory()]
    }

    init(_ bytes: [UInt8], named name: String) throws {
        var made: String?
        for place in Self.places where made == nil {
            var template = Array((place + "/plue-edit-XXXXXX").utf8CString)
            // 0700, whatever the umask.
            if mkdtemp(&template) != nil { made = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } } }
        }
        guard let made else { throw FileReadError(path: FilePath(NSTemporaryDirectory()), cause: .system(.permissionDenied)) }
        directory = FilePath(made)
        file = directory.appending(name)
        let descriptor = try FileDescriptor.open(
            file, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
        _ = try descriptor.closeAfter { try descriptor.writeAll(bytes) }
    }

    func read() throws -> [UInt8] { try SystemFiles().read(file) }

    func remove() { try? FileManager.default.removeItem(atPath: directory.string) }

    /// Runs the editor and waits for it. Signals that would end this process remove the copy first.
    func edit() async throws {
        let variables = ProcessInfo.processInfo.environment
        let editor = [variables["VISUAL"], variables["EDITOR"]].compactMap { $0 }.first { !$0.isEmpty } ?? "vi"
        let signals = [SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [directory] in
                try? FileManager.default.removeItem(atPath: directory.string)
                _exit(128 + number)
            }
            source.resume()
            return source
        }
        // An interrupt is the editor's to handle, as in git.
        let interrupt = signal(SIGINT, SIG_IGN)
        defer {
            for source in signals { source.cancel() }
            for number in [SIGTERM, SIGHUP] { signal(number, SIG_DFL) }
            signal(SIGINT, interrupt)
        }
        // A shell, because the variable may hold arguments; the path is one of its own and is not read as words.
        let result = try await Subprocess.run(
            .path("/bin/sh"), arguments: ["-c", editor + " \"$1\"", "sh", file.string],
            input: .fileDescriptor(.standardInput, closeAfterSpawningProcess: false),
            output: .fileDescriptor(.standardOutput, closeAfterSpawningProcess: false),
            error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false))
        guard result.terminationStatus.isSuccess else { throw EditorFailed(editor: editor) }
    }

    struct EditorFailed: Error, CustomStringConvertible {
        let editor: String
        var description: String { "the editor '\(editor)' ended with an error; nothing was changed" }
    }
}
