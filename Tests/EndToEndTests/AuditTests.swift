import Foundation
import TestGround
import Testing

/// `plue audit`, `backup` and `restore` from outside.
@Suite struct AuditTests {
    private static let options = "--config-dir config --state-dir kept-state"

    /// An installation with three versions and a refusal.
    private func installation() async throws -> Scratch {
        let scratch = try Scratch()
        try scratch.write("[server]\nport = 8080\n", to: "config/development.ini")
        for (port, reason) in [(8081, "the first"), (8082, "=HYPERLINK(1)"), (99_999, "too far")] {
            _ = try await scratch.run("plue apply \(Self.options) --set server.port=\(port) --reason '\(reason)'")
        }
        return scratch
    }

    private func plue(_ scratch: Scratch, _ command: String) async throws -> (output: String, code: Int32) {
        try await scratch.run("plue \(command) \(Self.options)")
    }

    @Test func `What was done is on record, selected by setting, actor and time`() async throws {
        let scratch = try await installation()
        let log = try await plue(scratch, "audit log")
        #expect(log.code == 0)
        for text in ["“the first”", "server.port = 8080 -> 8081", "“=HYPERLINK(1)”", "rejected", "range"] {
            #expect(log.output.contains(text))
        }
        #expect(try await plue(scratch, "audit log --key server.port").output.split(separator: "\n").count == 8)
        #expect(try await plue(scratch, "audit log --key server.host").output.split(separator: "\n").count == 1)
        #expect(try await plue(scratch, "audit log --actor nobody").output.split(separator: "\n").count == 1)
        #expect(try await plue(scratch, "audit log --since 2999-01-01").output.split(separator: "\n").count == 1)
        #expect(try await plue(scratch, "audit log --since yesterday").code == 64)
    }

    @Test func `An export is one entry a line, and no cell of it is a formula`() async throws {
        let scratch = try await installation()
        for line in try await plue(scratch, "audit export").output.split(separator: "\n") {
            let entry = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(entry?["seq"] is Int && entry?["action"] is String)
        }
        let table = try await plue(scratch, "audit export --as csv").output
        #expect(table.contains("\"'=HYPERLINK(1)\""))
        #expect(!table.contains(",\"=") && !table.contains("\n\"="))
    }

    @Test func `A log that somebody changed is told by its exit code, with a checkpoint kept elsewhere`() async throws {
        let scratch = try await installation()
        let verify = "audit verify --checkpoint kept --public-key kept-state/audit.pub"
        _ = try await scratch.run("cp kept-state/audit.checkpoints kept")
        let intact = try await plue(scratch, verify)
        #expect(intact.code == 0)
        #expect(intact.output.hasPrefix("intact: "))
        for (change, code) in [
            ("UPDATE audit_entry SET entry = replace(entry, 'the first', 'the fist') WHERE entry LIKE '%the first%'", 2),
            ("UPDATE attempt SET actor = 'unix:77' WHERE id = 1", 2), ("DELETE FROM audit_entry WHERE seq > 5", 3),
            ("DELETE FROM audit_entry WHERE seq = 4", 5), ("DROP TABLE audit_entry", 6),
        ] as [(String, Int32)] {
            _ = try await scratch.run("rm -rf saved && cp -a kept-state saved && sqlite3 kept-state/plue.db \"\(change)\"")
            let changed = try await plue(scratch, verify)
            #expect(changed.code == code, "\(change): \(changed.output)")
            _ = try await scratch.run("rm -rf kept-state && mv saved kept-state")
        }
        _ = try await scratch.run("mkdir -p other && echo '[server]' > other/development.ini && echo 'port = 1' >> other/development.ini")
        _ = try await scratch.run("plue apply --config-dir other --state-dir foreign --set server.port=2 --reason x")
        let foreign = try await scratch.run("plue audit verify \(Self.options) --public-key foreign/audit.pub")
        #expect(foreign.code == 4)
        #expect(try await scratch.run("plue audit verify \(Self.options) --checkpoint config/development.ini").code == 64)
    }

    @Test func `What a user once saw has to be part of what the user sees later`() async throws {
        let scratch = try await installation()
        _ = try await scratch.run("cp -a kept-state old")
        #expect(try await plue(scratch, "apply --set server.port=8083 --reason later").code == 0)
        #expect(try await plue(scratch, "audit verify").code == 0)
        // An older state directory in its place, signatures and all.
        _ = try await scratch.run("rm -rf kept-state && cp -a old kept-state")
        let rolledBack = try await plue(scratch, "audit verify")
        #expect(rolledBack.code == 3)
        #expect(rolledBack.output.contains("the log ends with entry"))
        let log = try await plue(scratch, "audit log")
        #expect(log.code == 3)
        #expect(log.output.contains("this log cannot be trusted"))
    }

    @Test func `The first look says so, and what was seen can be forgotten but not overlooked`() async throws {
        let scratch = try await installation()
        let first = try await plue(scratch, "audit verify")
        #expect(first.code == 0)
        #expect(first.output.contains("first look, nothing to compare with"))
        let second = try await plue(scratch, "audit verify --format json")
        #expect(second.output.contains("\"firstLook\" : false") || second.output.contains("\"firstLook\": false"), "\(second.output)")
        // Another key than the one that was seen.
        _ = try await scratch.run("mkdir other && printf '[server]\nport = 1\n' > other/development.ini")
        _ = try await scratch.run("plue apply --config-dir other --state-dir foreign --set server.port=2 --reason x")
        let foreign = try await plue(scratch, "audit verify --public-key foreign/audit.pub")
        #expect(foreign.code == 4)
        #expect(foreign.output.contains("--accept-new-key"))
        #expect(try await plue(scratch, "audit verify --public-key foreign/audit.pub --accept-new-key").code == 4)
        #expect(try await plue(scratch, "audit verify --public-key kept-state/audit.pub --accept-new-key").code == 0)
        // A memory that cannot be read is not none.
        _ = try await scratch.run("for f in .local/share/plue/witness/*; do cp $f kept-memory; echo garbage > $f; done")
        let spoilt = try await plue(scratch, "audit verify")
        #expect(spoilt.code == 6)
        #expect(spoilt.output.contains("--forget"))
        _ = try await scratch.run("for f in .local/share/plue/witness/*; do cp kept-memory $f; done")
        // Gone altogether: a loss for who has seen it, nothing to read for who has not.
        _ = try await scratch.run("mv kept-state/plue.db kept-state/audit.checkpoints .")
        #expect(try await plue(scratch, "audit verify").code == 3)
        #expect(try await plue(scratch, "audit log").code == 3)
        let forgotten = try await plue(scratch, "audit verify --forget")
        #expect(forgotten.code == 6)
        #expect(forgotten.output.contains("forgotten: "))
        _ = try await scratch.run("mv plue.db audit.checkpoints kept-state")
        #expect(try await plue(scratch, "audit verify").output.contains("first look"))
        // A log that contradicts the file beside it.
        _ = try await scratch.run("cp -a kept-state old")
        #expect(try await plue(scratch, "apply --set server.port=8084 --reason later").code == 0)
        _ = try await scratch.run("cp kept-state/audit.checkpoints old && rm -rf kept-state && cp -a old kept-state")
        let contradicted = try await plue(scratch, "audit verify --forget")
        #expect(contradicted.code == 3)
        let refused = try await plue(scratch, "apply --set server.port=8085 --reason more")
        #expect(refused.code == 69)
        #expect(refused.output.contains("plue audit verify"), "\(refused.output)")
    }

    @Test func `What people wrote is shown as text, whatever is in it`() async throws {
        let scratch = try await installation()
        let forging = "$(printf 'a\\033[2Jb\\nforged 1 2')"
        #expect(try await plue(scratch, "apply --set server.port=8083 --reason \"\(forging)\"").code == 64)
        let reason = "$(printf 'a\\342\\200\\256c')"
        #expect(try await plue(scratch, "apply --set server.port=8083 --reason \"\(reason)\"").code == 0)
        #expect(try await plue(scratch, "apply --set server.port=8084 --reason 42").code == 0)
        #expect(try await plue(scratch, "apply --set server.port=8085 --reason ' ＝1+1'").code == 0)
        for command in ["history", "audit log", "explain server.port", "status"] {
            let output = try await plue(scratch, command).output
            #expect(!output.contains("\u{1B}") && !output.contains("\u{202E}"), "\(command)")
            #expect(!output.split(separator: "\n").contains { $0.hasPrefix("forged") }, "\(command)")
        }
        #expect(try await plue(scratch, "history").output.contains("a\\u{202e}c"))
        let export = try await plue(scratch, "audit export").output
        #expect(export.contains("\"reason\":\"42\"") || export.contains("\"reason\": \"42\""))
        #expect(try await plue(scratch, "audit export --as csv").output.contains("\"' ＝1+1\""))
    }

    @Test func `A backup that somebody changed is not restored, except without its log`() async throws {
        let scratch = try await installation()
        #expect(try await plue(scratch, "backup saved").code == 0)
        _ = try await scratch.run("sqlite3 saved \"UPDATE attempt SET actor = 'unix:77' WHERE id = 1\"")
        let refused = try await scratch.run("plue restore saved --state-dir again")
        #expect(refused.code == 1)
        #expect(refused.output.contains("modified: "), "\(refused.output)")
        #expect(try await scratch.run("ls again").output == "plue.lock\n")
        #expect(try await scratch.run("plue restore saved --new-audit-log --state-dir again").code == 0)
        let log = try await scratch.run("plue audit log --state-dir again")
        #expect(log.code == 0)
        #expect(log.output.contains("beginning") && log.output.contains("restoring"))
        #expect(try await scratch.run("plue history --state-dir again").output.contains("v2"))
    }

    @Test func `A backup taken beside a running daemon is restored into an empty directory, and the numbers go on`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        let scratch = daemon.scratch
        async let changes: Void = {
            for number in 1...8 { _ = try await daemon.plue("apply --set server.max_connections=\(number) --reason r") }
        }()
        try await eventually { try await daemon.status()["version"] as? Int ?? 0 > 2 }
        #expect(try await daemon.plue("backup \(scratch.path)/backup").code == 0)
        _ = try await changes
        #expect(try await daemon.stop() == 0)
        #expect(try await daemon.plue("backup \(scratch.path)/backup").code == 75)
        #expect(try await daemon.plue("restore \(scratch.path)/backup").code == 75)

        let restored = try await scratch.run("plue restore backup --state-dir restored")
        #expect(restored.code == 0, "\(restored.output)")
        let newest = try await scratch.run("plue history --state-dir restored --format json").output
        let numbers = newest.matches(of: /"version" *: *([0-9]+)/).compactMap { Int($0.1) }
        let last = try #require(numbers.max())
        #expect((3...9).contains(last))
        #expect(try await scratch.run("plue audit verify --state-dir restored --checkpoint restored/audit.checkpoints").code == 0)
        let apply = try await scratch.run("plue apply --config-dir config --state-dir restored --set server.max_connections=99 --reason on")
        // What the files say is newer than the backup; it is recorded first, as a version of its own.
        #expect(apply.output.contains("version \(last + 2): ") || apply.output.contains("version \(last + 1): "), "\(apply.output)")
    }
}
