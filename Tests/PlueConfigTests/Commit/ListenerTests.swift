import Synchronization
import SystemPackage
import TestGround
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
    private func committer() throws -> (Committer<Int>, Stage) {
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

        let squatter = try Squatter(port: try freePort())
        let refusal = try #require(await committer.commit(squatter.port, services: plan, intent: stage.intent(parent: 1)).refusal)
        #expect(refusal.problem == "listener: \(Errno.addressInUse.description)")
        #expect(refusal.phase == .prepare)
        #expect(answers(port))
        withExtendedLifetime(squatter) {}
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
    private var broken: Int?

    /// Lets the port stop listening the moment it goes live.
    func `break`(_ port: Int) { broken = port }
    var livePort: Int? { live?.port }

    func prepare(_ port: Int, beside live: Listener?) async throws -> Listener { try Listener(port: port) }

    func activate(_ next: Listener) async -> Listener? {
        defer { live = next }
        if next.port == broken { next.close() }
        return live
    }

    func verify(_ live: Listener) async throws { try connect(to: live.port) }

    func retire(_ instance: Listener) async { instance.close() }
}

private final class Listener: Sendable {
    let port: Int
    private let descriptor: Mutex<Int32?>

    init(port: Int) throws {
        self.port = port
        let socket = streamSocket()
        descriptor = Mutex(socket)
        do {
            try SocketAddress(port: port).pass { try check(bind(socket, $0, $1)) }
            try check(listen(socket, 16))
        } catch {
            close()
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

private func answers(_ port: Int) -> Bool { (try? connect(to: port)) != nil }

private func connect(to port: Int) throws {
    let socket = streamSocket()
    defer { closeSocket(socket) }
    try SocketAddress(port: port).pass { try check(connect(socket, $0, $1)) }
}

private func closeSocket(_ descriptor: Int32) { _ = close(descriptor) }

private func check(_ result: Int32) throws {
    if result < 0 { throw Errno(rawValue: errno) }
}
