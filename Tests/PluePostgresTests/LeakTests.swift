import Foundation
import PlueConfig
import PluePostgres
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

extension PostgresTests {
    @Suite("What a pool leaves in the process", .timeLimit(.minutes(3)))
    struct LeakTests {
        @Test("after swaps, broken connections, refused logins and cancelled statements, no descriptor to the server is open")
        func descriptors() async throws {
            try await Cluster.run { cluster async throws in
                let roles = [try await cluster.newRole(), try await cluster.newRole()]
                for round in 0..<3 {
                    try await Stage.run(cluster.settings(roles[0]) { $0.poolMax = 4 }) { stage async throws in
                        for number in 1...6 {
                            try await stage.take(4)
                            let old = try #require(try await stage.change(to: cluster.settings(roles[number % 2]) { $0.poolMax = 4 }))
                            await stage.retireAtOnce(old)
                            _ = try? await stage.prepare(cluster.settings(.init(name: roles[0].name, password: "wrong")))
                            try await cluster.psql(
                                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(roles[number % 2].name)'")
                            _ = try? await stage.pool.withConnection {
                                try await $0.query("SELECT pg_sleep(60)", within: .milliseconds(10))
                            }
                        }
                        _ = try await stage.query("SELECT 1")
                        #expect(try descriptors(to: cluster.port) > 0)
                    }
                    try await eventually("all are closed in round \(round)") { try descriptors(to: cluster.port) == 0 }
                }
            }
        }

        @Test("a pool that goes takes its thread's descriptors along")
        func reactors() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            let before = try descriptorsOfQueues()
            for _ in 0..<40 { try await Stage.run(cluster.settings(role, .socket)) { _ in } }
            // Other tests may have some of their own.
            try await eventually("they are closed") { try descriptorsOfQueues() < before + 20 }
        }

        private func descriptorsOfQueues() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { name in
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")) == "anon_inode:[eventpoll]"
            }
        }

        /// How many descriptors of this process are connections to a port.
        ///
        /// Asked of the descriptors themselves: Foundation reads no more than a page of /proc/net/tcp.
        private func descriptors(to port: Int) throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }.count { descriptor in
                var address = sockaddr_in()
                var size = socklen_t(MemoryLayout<sockaddr_in>.size)
                let isConnected = withUnsafeMutableBytes(of: &address) { bytes in
                    getpeername(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &size) == 0
                }
                return isConnected && address.sin_family == sa_family_t(AF_INET) && Int(in_port_t(bigEndian: address.sin_port)) == port
            }
        }
    }
}
