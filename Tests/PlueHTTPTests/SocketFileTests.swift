import Foundation
import PlueConfig
import PlueHTTP
import SystemPackage
import TestGround
import Testing

@Suite("A server behind a socket file", .timeLimit(.minutes(1)))
struct SocketFileTests {
    @Test("only its owner may connect, and is known by user id")
    func serves() async throws {
        try await withScratch { directory async throws in
            let path = directory.appending("plue.sock")
            try await Stage.run(.socket(path)) { stage async throws in
                #expect(try mode(path) == 0o600)
                #expect(try await Client.connect(socket: path.string).get().body == "hello")
                #expect(try await Client.connect(socket: path.string).get("/peer").body == "unix:\(getuid())")
                #expect(try await curl("--unix-socket", path.string, "http://plue/hello") == "200")
            }
            #expect(try names(in: directory) == [], "the file goes with the server")
        }
    }

    @Test("a socket file that its process left behind is replaced")
    func stale() async throws {
        try await withScratch { directory async throws in
            let path = directory.appending("plue.sock")
            try leaveStaleSocket(at: path)
            await #expect(throws: Client.Failure.self) { try await Client.connect(socket: path.string) }
            try await Stage.run(.socket(path)) { stage async throws in
                #expect(try await Client.connect(socket: path.string).get().body == "hello")
            }
        }
    }

    @Test("the socket of a process that lives is not taken from it")
    func inUse() async throws {
        try await withScratch { directory async throws in
            let path = directory.appending("plue.sock")
            try await Stage.run(.socket(path)) { first async throws in
                let other = Stage()
                let refusal = await #expect(throws: ServiceRefusal.self) { try await other.prepare(.socket(path)) }
                #expect(refusal?.description == "\(path) is in use by another process")
                #expect(try await Client.connect(socket: path.string).get().body == "hello")
                #expect(try names(in: directory) == ["plue.sock"], "nothing is left of the attempt")
            }
        }
    }

    @Test("a file that is no socket is neither served from nor lost")
    func otherFile() async throws {
        try await withScratch { directory async throws in
            let path = directory.appending("plue.sock")
            try Data("precious".utf8).write(to: URL(fileURLWithPath: path.string))
            let stage = Stage()
            let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(.socket(path)) }
            #expect(refusal?.description.contains(path.string) == true)
            #expect(try String(contentsOfFile: path.string, encoding: .utf8) == "precious")
            #expect(try names(in: directory) == ["plue.sock"])
        }
    }

    @Test("a path that is too long, or whose directory is missing, is refused by name")
    func impossible() async throws {
        try await withScratch { directory async throws in
            let stage = Stage()
            for path in [directory.appending(String(repeating: "x", count: 120)), directory.appending("missing/plue.sock")] {
                let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(.socket(path)) }
                #expect(refusal?.description.contains(path.string) == true)
            }
            #expect(try names(in: directory) == [])
        }
    }

    @Test("it moves to another path and from there to a port, and takes its files along")
    func moves() async throws {
        try await withScratch { directory async throws in
            let paths = [directory.appending("a.sock"), directory.appending("b.sock")]
            try await Stage.run(.socket(paths[0])) { stage async throws in
                let first = try #require(await stage.change(to: .socket(paths[1])))
                #expect(try await Client.connect(socket: paths[1].string).get().body == "hello")
                await stage.server.retire(first)
                #expect(try names(in: directory) == ["b.sock"])
                let second = try #require(await stage.change(to: .loopback()))
                #expect(try await Client.connect(stage.port).get().body == "hello")
                await stage.server.retire(second)
                #expect(try names(in: directory) == [])
            }
        }
    }

    @Test("what was prepared and is discarded leaves no file, and other limits leave the file alone")
    func discards() async throws {
        try await withScratch { directory async throws in
            let path = directory.appending("plue.sock")
            try await Stage.run(.socket(path)) { stage async throws in
                await stage.server.retire(try await stage.prepare(.socket(directory.appending("b.sock"))))
                let old = try #require(await stage.change(to: .socket(path).with { $0.maxBodySize = 1 }))
                await stage.server.retire(old)
                #expect(try names(in: directory) == ["plue.sock"])
                #expect(try await Client.connect(socket: path.string).get().body == "hello")
            }
        }
    }

    private func names(in directory: FilePath) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.string).sorted()
    }

    private func mode(_ path: FilePath) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path.string)[.posixPermissions] as? Int
    }

    /// As a process that was killed leaves it.
    private func leaveStaleSocket(at path: FilePath) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.string.utf8) }
        let descriptor = socket(AF_UNIX, streamType, 0)
        defer { close(descriptor) }
        let result = withUnsafeBytes(of: address) { bytes in
            bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard result == 0, listen(descriptor, 1) == 0 else { throw Client.Failure("bind") }
    }
}
