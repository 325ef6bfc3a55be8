import Foundation
import PlueConfig
import PluePostgres
import TestGround
import Testing

extension PostgresTests {
    @Suite("The copy of an audit log", .timeLimit(.minutes(2)))
    struct AuditTableTests {
        private static func row(_ sequence: Int, _ text: String = "") -> AuditTable.Row {
            let entry = "plue-audit/1\nseq: \(sequence)\naction: \"quoted\" \\\\ {a,b} 'é' NULL\n\(text)"
            return AuditTable.Row(sequence: sequence, entry: entry, leaf: String(repeating: String(sequence % 16, radix: 16), count: 64))
        }

        private static func note(_ size: Int) -> AuditTable.Checkpoint {
            AuditTable.Checkpoint(size: size, note: "plue\n\(size)\nroot=\n\n— plue signature\n")
        }

        /// A log of so many entries, with a checkpoint at every tenth.
        private static func batch(_ log: Int, after position: AuditTable.Position, limit: Int) -> AuditTable.Batch {
            let last = min(log, position.sequence + limit)
            return AuditTable.Batch(
                rows: (position.sequence..<max(position.sequence, last)).map { row($0 + 1) },
                checkpoints: (position.checkpoint + 1..<max(position.checkpoint + 1, last + 1)).filter { $0 % 10 == 0 }.map(note))
        }

        @Test("what was exported is there, once, letter for letter")
        func export() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            try await Stage.run(cluster.settings(role)) { stage async throws in
                let table = try AuditTable("public.\(role.name)", origin: "web-1")
                try await table.create(through: stage.pool)
                // Again, and in ten places at once: it is there already.
                try await withThrowingTaskGroup { group in
                    for _ in 0..<10 { group.addTask { try await table.create(through: stage.pool) } }
                    try await group.waitForAll()
                }
                #expect(try await table.position(through: stage.pool) == AuditTable.Position())
                for _ in 0..<2 {
                    try await table.append(
                        .init(rows: (1...25).map { Self.row($0) }, checkpoints: [Self.note(10), Self.note(20)]), through: stage.pool)
                }
                #expect(try await table.position(through: stage.pool) == AuditTable.Position(sequence: 25, checkpoint: 20))
                let rows = try await stage.query("SELECT sequence, entry, leaf FROM \(role.name) WHERE origin = 'web-1' ORDER BY sequence")
                    .rows
                #expect(rows == (1...25).map { [String($0), Self.row($0).entry, Self.row($0).leaf] })
                let notes = try await stage.query("SELECT size, note FROM \(role.name)_checkpoint ORDER BY size").rows
                #expect(notes == [10, 20].map { [String($0), Self.note($0).note] })
                // Another machine's log is another log.
                let other = try AuditTable("public.\(role.name)", origin: "web-2")
                try await other.append(.init(rows: [Self.row(1, "other")]), through: stage.pool)
                #expect(try await other.position(through: stage.pool).sequence == 1)
                #expect(try await table.position(through: stage.pool).sequence == 25)
            }
        }

        @Test("something else under the same number is found, and nothing of that batch counts")
        func conflict() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            try await Stage.run(cluster.settings(role)) { stage async throws in
                let table = try AuditTable(role.name, origin: "web-1")
                try await table.create(through: stage.pool)
                try await table.append(.init(rows: (1...5).map { Self.row($0) }, checkpoints: [Self.note(5)]), through: stage.pool)
                let changed = AuditTable.Batch(rows: [Self.row(4), Self.row(5, "changed"), Self.row(6)])
                let conflict = await #expect(throws: AuditTable.Conflict.self) { try await table.append(changed, through: stage.pool) }
                #expect(conflict.map { "\($0)" } == "\(role.name) holds another entry 5 than the audit log")
                #expect(try await table.position(through: stage.pool).sequence == 5)
                var forged = Self.note(5)
                forged.note += "forged"
                let batch = AuditTable.Batch(rows: [Self.row(6)], checkpoints: [forged])
                let other = await #expect(throws: AuditTable.Conflict.self) { try await table.append(batch, through: stage.pool) }
                #expect(other?.isCheckpoint == true)
                #expect(try await table.position(through: stage.pool).sequence == 5)
            }
        }

        @Test("after an outage in the middle, the next time goes on where it came to")
        func outage() async throws {
            try await Cluster.run { cluster async throws in
                let role = try await cluster.newRole()
                try await Stage.run(cluster.settings(role)) { stage async throws in
                    let table = try AuditTable("plue_audit", origin: "web-1")
                    try await table.create(through: stage.pool)
                    let log = 1_234
                    await #expect(throws: (any Error).self) {
                        try await table.catchUp(through: stage.pool) { position async throws in
                            if position.sequence == 400 {
                                // The server goes away, and this batch meets a dead connection.
                                try await cluster.control("stop")
                                throw Failure()
                            }
                            return Self.batch(log, after: position, limit: 100)
                        }
                    }
                    try await cluster.control("start")
                    try await eventually("the pool heals") { (try? await stage.query("SELECT 1")) != nil }
                    #expect(try await table.position(through: stage.pool) == AuditTable.Position(sequence: 400, checkpoint: 400))
                    let position = try await table.catchUp(through: stage.pool) { Self.batch(log, after: $0, limit: 100) }
                    #expect(position == AuditTable.Position(sequence: log, checkpoint: 1_230))
                    // A checkpoint that comes after its entries comes alone.
                    try await table.catchUp(through: stage.pool) { position in
                        position.checkpoint < log ? .init(checkpoints: [Self.note(log)]) : .init()
                    }
                    #expect(
                        try await stage.query("SELECT count(*), min(sequence), max(sequence) FROM plue_audit").rows == [
                            ["1234", "1", "1234"]
                        ])
                    #expect(try await table.position(through: stage.pool) == AuditTable.Position(sequence: log, checkpoint: log))
                }
            }
        }

        private struct Failure: Error {}

        @Test("a reader that goes in circles is stopped")
        func circles() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            try await Stage.run(cluster.settings(role)) { stage async throws in
                let table = try AuditTable(role.name, origin: "web-1")
                try await table.create(through: stage.pool)
                for batch in [
                    AuditTable.Batch(rows: [Self.row(2), Self.row(1)]), .init(rows: [Self.row(0)]), .init(checkpoints: [Self.note(0)]),
                ] {
                    await #expect(throws: PostgresError.self) { try await table.catchUp(through: stage.pool) { _ in batch } }
                }
                #expect(try await table.position(through: stage.pool).sequence == 0)
            }
        }

        @Test("a login that may only insert and read is enough, once the tables are there")
        func fewRights() async throws {
            let cluster = try Cluster.shared
            let (owner, writer) = (try await cluster.newRole(), try await cluster.newRole())
            let schema = "schema_\(owner.name)"
            try await cluster.psql(
                "CREATE SCHEMA \(schema) AUTHORIZATION \(owner.name)", "GRANT USAGE ON SCHEMA \(schema) TO \(writer.name)")
            let table = try AuditTable("\(schema).log", origin: "web-1")
            try await Stage.run(cluster.settings(writer)) { stage async throws in
                let error = await #expect(throws: PostgresError.self) { try await table.create(through: stage.pool) }
                #expect(error?.state == .insufficientPrivilege)
                try await Stage.run(cluster.settings(owner)) { try await table.create(through: $0.pool) }
                try await cluster.psql("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA \(schema) TO \(writer.name)")
                try await table.create(through: stage.pool)
                #expect(try await table.catchUp(through: stage.pool) { Self.batch(20, after: $0, limit: 7) }.sequence == 20)
            }
        }

        @Test(
            "a name that is not plain is refused",
            arguments: ["", "a.b.c", "a\"b", "a b", ".a", "1a", "é", String(repeating: "a", count: 60)])
        func names(_ name: String) {
            // The longest leaves no room for the checkpoints' own.
            #expect(throws: PostgresError.self) { try AuditTable(name, origin: "web-1") }
        }
    }
}
