import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import PlueConfig

/// Over real files; what no file system here does on demand (an input/output error) is injected before the step.
@Suite struct DirectoryWriterTests {
    private let directory = try? Directory()

    private func change(_ name: String, _ before: String?, _ after: String?) -> DocumentChange {
        DocumentChange(name: name, before: before.map { Array($0.utf8) }, after: after.map { Array($0.utf8) })
    }

    @Test func `Documents are replaced, made and deleted, modes and links stay, nothing is left behind`() throws {
        let directory = try #require(directory)
        try directory.write("a", "base.ini", mode: 0o640)
        try directory.write("x", "real/production.ini", mode: 0o604)
        try FileManager.default.createSymbolicLink(
            atPath: directory.path + "/production.ini", withDestinationPath: "real/production.ini")
        try directory.write("old", "production.d/1.ini")
        try DirectoryWriter(directory: FilePath(directory.path)).write([
            change("base.ini", "a", "b"), change("production.ini", "x", "y"), change("production.d/1.ini", "old", nil),
            change("staging.d/2.ini", nil, "new"),
        ])
        #expect(directory.files == ["base.ini": "b", "production.ini": "y", "real/production.ini": "y", "staging.d/2.ini": "new"])
        #expect(directory.mode("base.ini") == 0o640)
        #expect(directory.mode("real/production.ini") == 0o604)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: directory.path + "/production.ini") == "real/production.ini")
    }

    @Test func `A document that somebody else changed meanwhile is not overwritten, and neither are the others`() throws {
        let directory = try #require(directory)
        try directory.write("a", "base.ini")
        try directory.write("theirs", "production.ini")
        #expect(throws: WriteRefusal(.changedMeanwhile, FilePath(try directory.resolved() + "/production.ini"))) {
            try DirectoryWriter(directory: FilePath(directory.path)).write([
                change("base.ini", "a", "b"), change("production.ini", "x", "y"),
            ])
        }
        #expect(directory.files == ["base.ini": "a", "production.ini": "theirs"])
    }

    @Test(arguments: [WriteStep.stage("base.ini"), .stage("production.ini"), .replace("base.ini"), .replace("production.ini"), .sync])
    func `Whatever step fails, the documents can be put back as they were`(failing: WriteStep) throws {
        let directory = try #require(directory)
        try directory.write("a", "base.ini")
        let changes = [change("base.ini", "a", "b"), change("production.ini", nil, "y")]
        var writer = DirectoryWriter(directory: FilePath(directory.path))
        writer.before = { step throws(Errno) in if step == failing { throw .ioError } }
        #expect(throws: WriteRefusal.self) { try writer.write(changes) }
        try DirectoryWriter(directory: FilePath(directory.path)).restore(changes)
        #expect(directory.files == ["base.ini": "a"])
    }

    @Test func `What is put back is what was written, not what somebody wrote since`() throws {
        let directory = try #require(directory)
        try directory.write("theirs", "base.ini")
        try directory.write("y", "production.ini")
        #expect(throws: WriteRefusal.self) {
            try DirectoryWriter(directory: FilePath(directory.path)).restore([
                change("base.ini", "a", "b"), change("production.ini", "x", "y"),
            ])
        }
        #expect(directory.files == ["base.ini": "theirs", "production.ini": "x"])
    }

    @Test func `A document written in place and cut short is recognized, whatever of it was written`() throws {
        let change = change("base.ini", "the old text, longer", "the new one")
        let (before, after) = (Array("the old text, longer".utf8), Array("the new one".utf8))
        for written in 0...after.count {
            #expect(change.mayHaveLeft(Array(after.prefix(written)) + Array(before.dropFirst(written))), "\(written)")
        }
        // Cut short again while it was put back.
        for written in 0...after.count {
            let mixture = Array(after.prefix(written)) + Array(before.dropFirst(written))
            for back in 0...mixture.count {
                let found = Array(before.prefix(back)) + Array(mixture.dropFirst(back))
                #expect(change.mayHaveLeft(found), "\(written), \(back)")
            }
        }
        #expect(change.mayHaveLeft(after))
        #expect(!change.mayHaveLeft(Array("the other text, longer".utf8)))
        #expect(!change.mayHaveLeft(nil))
    }

    @Test func `Deleting a document that is a link removes the link, and nothing elsewhere`() throws {
        let directory = try #require(directory)
        try directory.write("theirs", "elsewhere/x.ini")
        try directory.write("a", "base.ini")
        try FileManager.default.createSymbolicLink(atPath: directory.path + "/production.ini", withDestinationPath: "elsewhere/x.ini")
        try DirectoryWriter(directory: FilePath(directory.path)).write([change("production.ini", "theirs", nil)])
        #expect(directory.files == ["base.ini": "a", "elsewhere/x.ini": "theirs"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["base.ini", "elsewhere"])
    }

    @Test func `What is there and cannot be read is not overwritten, and a directory made for nothing goes again`() throws {
        let directory = try #require(directory)
        try directory.write("a", "base.ini")
        #expect(mkfifo(directory.path + "/production.ini", 0o600) == 0)
        let changes = [change("staging.d/1.ini", nil, "new"), change("production.ini", nil, "y")]
        #expect(throws: WriteRefusal(.unreadable, FilePath(try directory.resolved() + "/production.ini"))) {
            try DirectoryWriter(directory: FilePath(directory.path)).write(changes)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["base.ini", "production.ini"])
    }

    @Test func `What an editor saves in the last moment is found, and stays`() throws {
        let directory = try #require(directory)
        try directory.write("a", "base.ini")
        var writer = DirectoryWriter(directory: FilePath(directory.path))
        let path = directory.path
        writer.before = { step throws(Errno) in
            if step == .replace("base.ini") { try? Data("theirs".utf8).write(to: URL(filePath: path + "/base.ini"), options: .atomic) }
        }
        #expect(throws: WriteRefusal(.changedMeanwhile, FilePath(try directory.resolved() + "/base.ini"))) {
            try writer.write([change("base.ini", "a", "b")])
        }
        #expect(directory.files == ["base.ini": "theirs"])
    }

    @Test func `A new document is read by nobody who may not read those beside it`() throws {
        let directory = try #require(directory)
        try directory.write("a", "base.ini", mode: 0o640)
        try directory.write("b", "staging.ini", mode: 0o604)
        try DirectoryWriter(directory: FilePath(directory.path)).write([change("production.ini", nil, "x")])
        #expect(directory.mode("production.ini") == 0o600)
    }

    @Test func `A full disk refuses the change before anything is written, and says so`() throws {
        // A file system of 64 KiB, if this user may mount one.
        let directory = try #require(directory)
        guard directory.mount("-t tmpfs -o size=64k tmpfs") else { return }
        defer { directory.unmount() }
        try directory.write("a", "base.ini")
        let large = String(repeating: "x", count: 100_000)
        #expect {
            try DirectoryWriter(directory: FilePath(directory.path)).write([
                change("base.ini", "a", "b"), change("production.ini", nil, large),
            ])
        } throws: {
            "\($0)".contains("the disk is full")
        }
        #expect(directory.files == ["base.ini": "a"])
    }

    @Test func `A read-only directory refuses the change, and says so`() throws {
        let directory = try #require(directory)
        guard directory.mount("-t tmpfs tmpfs") else { return }
        defer { directory.unmount() }
        try directory.write("a", "base.ini")
        guard directory.mount("-o remount,ro") else { return }
        #expect {
            try DirectoryWriter(directory: FilePath(directory.path)).write([change("base.ini", "a", "b")])
        } throws: {
            "\($0)".contains("read-only")
        }
    }

    @Test func `A document that is a mount of its own is refused with the way out, or written in place when that is allowed`() throws {
        let directory = try #require(directory)
        try directory.write("a", "elsewhere")
        try directory.write("", "base.ini")
        guard directory.mount("--bind \(directory.path)/elsewhere", at: "base.ini") else { return }
        defer { directory.unmount("base.ini") }
        var writer = DirectoryWriter(directory: FilePath(directory.path))
        #expect {
            try writer.write([change("base.ini", "a", "longer")])
        } throws: {
            "\($0)".contains("allow_in_place")
        }
        #expect(directory.files["base.ini"] == "a")
        writer.allowsInPlace = true
        try writer.write([change("base.ini", "a", "longer")])
        #expect(directory.files["base.ini"] == "longer")
        try writer.restore([change("base.ini", "a", "longer")])
        #expect(directory.files == ["base.ini": "a", "elsewhere": "a"])
    }
}

/// A directory of one test's own, gone with it.
private final class Directory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "plue-write-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func resolved() throws -> String { URL(filePath: path).resolvingSymlinksInPath().path }

    func write(_ text: String, _ name: String, mode: Int = 0o644) throws {
        let file = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    }

    func mode(_ name: String) -> Int? {
        (try? FileManager.default.attributesOfItem(atPath: path + "/" + name))?[.posixPermissions] as? Int
    }

    /// Every file with its contents, hidden ones too.
    var files: [String: String] {
        var files: [String: String] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: path) ?? .init() {
            if let data = FileManager.default.contents(atPath: path + "/" + name) { files[name] = String(decoding: data, as: UTF8.self) }
        }
        return files
    }

    /// Mounts over the directory or one of its files; false where that is not allowed.
    func mount(_ arguments: String, at name: String = "") -> Bool { run("mount \(arguments) \(path)/\(name)") }

    func unmount(_ name: String = "") { _ = run("umount -l \(path)/\(name)") }

    private func run(_ command: String) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command + " >/dev/null 2>&1"]
        try? process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
