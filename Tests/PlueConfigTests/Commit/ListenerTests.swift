import Synchronization
import SystemPackage
import Testing

@testable import PlueConfig

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The same transaction over a real listener: the operating system is the judge.
@Suite("A listener that moves", .timeLimit(.minutes(1)))
struct ListenerTests {
    private func committer() throws -> (Committer<UInt16>, Stage) {
        let stage = try Stage([:])
        return (Committer(recorder: stage.recorder, logger: stage.logger), stage)
    }

    @Test("it moves to a free port, and the old port is closed")
    func moves() async throws {
        let (committer, stage) = try committer()
        try await committer.add(ServiceRegistration(ListenerService(), named: "listener", sections: ["listener"]) { $0 })
        let ports = [try freePort(), try freePort()]
        let plan = [PlannedService(name: "listener", action: .swap)]
        for (index, port) in ports.enumerated() {
            let outcome = await committer.commit(port, services: plan, intent: stage.intent(parent: index == 0 ? nil : index))
            #expect(outcome.version == index + 1)
            #expect(answers(port))
        }
        #expect(answers(ports[0]), "what is replaced drains after the transaction")
        await committer.shutDown()
        #expect(!answers(ports[0]))
        #expect(!answers(ports[1]))
    }

    @Test("a port that is taken refuses the change in the system's words, and the old one goes on")
    func taken() async throws {
        let (committer, stage) = try committer()
        try await committer.add(ServiceRegistration(ListenerService(), named: "listener", sections: ["listener"]) { $0 })
        let plan = [PlannedService(name: "listener", action: .swap)]
        let port = try freePort()
        #expect(await committer.commit(port, services: plan, intent: stage.intent(parent: nil)).version == 1)

        let squatter = try Listener(port: 0)
        let refusal = try #require(await committer.commit(squatter.port, services: plan, intent: stage.intent(parent: 1)).refusal)
        #expect(refusal.problem == "listener: \(Errno.addressInUse.description)")
        #expect(refusal.phase == .prepare)
        #expect(answers(port))
        squatter.close()
        await committer.shutDown()
    }

    @Test("a listener that nobody can reach is swapped back")
    func unreachable() async throws {
        let (committer, stage) = try committer()
        let service = ListenerService()
        try await committer.add(ServiceRegistration(service, named: "listener", sections: ["listener"]) { $0 })
        let plan = [PlannedService(name: "listener", action: .swap)]
        let ports = [try freePort(), try freePort()]
        #expect(await committer.commit(ports[0], services: plan, intent: stage.intent(parent: nil)).version == 1)
        await service.break(ports[1])
        let refusal = try #require(await committer.commit(ports[1], services: plan, intent: stage.intent(parent: 1)).refusal)
        #expect(refusal.problem == "listener: \(Errno.connectionRefused.description)")
        #expect(refusal.phase == .verify)
        #expect(await service.livePort == ports[0])
        #expect(answers(ports[0]))
        await committer.shutDown()
    }
}

/// Listens on a port of the loopback interface; the kernel accepts for it.
private actor ListenerService: LiveService {
    private var live: Listener?
    private var broken: UInt16?

    /// Lets the port stop listening the moment it goes live.
    func `break`(_ port: UInt16) { broken = port }
    var livePort: UInt16? { live?.port }

    func prepare(_ port: UInt16, beside live: Listener?) async throws -> Listener { try Listener(port: port) }

    func activate(_ next: Listener) async -> Listener? {
        defer { live = next }
        if next.port == broken { next.close() }
        return live
    }

    func verify(_ live: Listener) async throws { try connect(to: live.port) }

    func retire(_ instance: Listener) async { instance.close() }
}

private final class Listener: Sendable {
    let port: UInt16
    private let descriptor: Mutex<Int32?>

    /// - Parameter port: 0 lets the system choose.
    init(port: UInt16) throws {
        let socket = try openSocket()
        descriptor = Mutex(socket)
        do {
            try withLoopback(port) { try check(bind(socket, $0, $1)) }
            try check(listen(socket, 16))
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            try withUnsafeMutablePointer(to: &address) { pointer in
                try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { try check(getsockname(socket, $0, &length)) }
            }
            self.port = UInt16(bigEndian: address.sin_port)
        } catch {
            closeSocket(socket)
            throw error
        }
    }

    func close() {
        descriptor.withLock { descriptor in
            if let descriptor { closeSocket(descriptor) }
            descriptor = nil
        }
    }
}

/// A port that nobody listens on: the system has just given it away and taken it back.
private func freePort() throws -> UInt16 {
    let listener = try Listener(port: 0)
    defer { listener.close() }
    return listener.port
}

private func answers(_ port: UInt16) -> Bool { (try? connect(to: port)) != nil }

private func connect(to port: UInt16) throws {
    let socket = try openSocket()
    defer { closeSocket(socket) }
    try withLoopback(port) { try check(connect(socket, $0, $1)) }
}

private func openSocket() throws -> Int32 {
    #if canImport(Glibc)
    let kind = Int32(SOCK_STREAM.rawValue)
    #else
    let kind = SOCK_STREAM
    #endif
    let descriptor = socket(AF_INET, kind, 0)
    try check(descriptor)
    return descriptor
}

private func closeSocket(_ descriptor: Int32) { _ = close(descriptor) }

private func check(_ result: Int32) throws {
    if result < 0 { throw Errno(rawValue: errno) }
}

private func withLoopback(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void) throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    try withUnsafePointer(to: &address) { pointer in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            try body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
