import Foundation
import TestGround
import Testing

/// What the daemon's services are for those who use them: the administrator behind ssh, whoever keeps the audit log's copy, and whoever
/// runs nginx.
@Suite struct ServiceTests {
    @Test func `Over ssh a change takes two as well, whichever of them is behind ssh`() async throws {
        let door = try await Door("[security]\nrequire_approval = true\n")
        func hash(_ text: String) throws -> String { String(try #require(text.firstMatch(of: /sha256:[0-9a-f]{64}/)?.output)) }
        let asked = try await door.ssh("ada", "apply server.max_connections=9 --reason please")
        #expect(asked.code == 75 && asked.output.contains("proposal 1 waits for"), "\(asked.output)")
        let shown = try await door.ssh("bob", "proposals").output
        #expect(shown.contains("proposal 1 of ssh:ada@laptop: please") && shown.contains("server.max_connections: 10000 → 9"), "\(shown)")
        let own = try await door.ssh("ada", "approve 1 --hash \(try hash(shown))")
        #expect(own.code == 77 && own.output.contains("it takes another than ssh:ada@laptop"), "\(own.output)")
        #expect(try await door.ssh("bob", "approve 1 --hash \(try hash(shown))").code == 77)
        #expect(try await door.daemon.status()["version"] as? Int == 1)
        #expect(try await door.daemon.plue("approve 1").code == 0)
        #expect(try await door.daemon.status()["version"] as? Int == 2)

        #expect(try await door.daemon.plue("rollback 1 --reason back").output.contains("proposal 2 waits for"))
        #expect(try await door.ssh("ada", "approve 2 --hash sha256:00").code == 75)
        let other = try hash(try await door.ssh("ada", "proposals").output)
        #expect(try await door.ssh("ada", "approve 2 --hash \(other)").output.hasPrefix("version 3: server.max_connections"))
        #expect(try await door.daemon.plue("audit verify").code == 0)
        #expect(try await door.daemon.stop() == 0)
    }

    @Test func `ssh gives the command line's answers, to each key what its role may, and what is refused is on record`() async throws {
        let door = try await Door("[app]\npin = ${file:PATH/pin}\n")
        let daemon = door.daemon
        for command in ["show", "show server", "show app.pin", "history", "diff", "explain server.max_connections"] {
            let (there, here) = (try await door.ssh("ada", command), try await daemon.plue(command))
            #expect(there.output == here.output && there.code == here.code && !there.output.isEmpty, "\(command): \(there.output)")
        }
        let plan = try await daemon.plue("plan --set server.max_connections=9")
        #expect(try await door.ssh("bob", "plan server.max_connections=9").output == plan.output)
        #expect(try await door.ssh("bob", "status").output.contains("service ssh: running, 1 logged in at 127.0.0.1:\(door.port)\n"))
        #expect(try await door.ssh("bob", "help").output.contains("you are ssh:bob@desk, viewer"))

        for command in ["apply server.max_connections=9 --reason x", "rollback 1 --reason x", "confirm", "reload", "reveal app.pin"] {
            let refused = try await door.ssh("bob", command)
            #expect(refused.code == 77, "\(command)")
            #expect(refused.output.hasSuffix("takes the role operator; ssh:bob@desk has the role viewer\n"), "\(refused.output)")
        }
        #expect(try await daemon.status()["version"] as? Int == 1)

        let applied = try await door.ssh("ada", "apply server.max_connections=9 --reason \"less is more\" --confirm-within 600s")
        #expect(applied.output.hasPrefix("version 2: server.max_connections\nconfirm it within "), "\(applied.output)")
        #expect(try await door.ssh("ada", "apply server.max_connections=8 --reason late").code == 75)
        #expect(try await door.ssh("ada", "confirm").output == "version 2 is confirmed\n")
        #expect(try await door.ssh("ada", "rollback 1 --reason \"as it was\"").output == "version 3: server.max_connections\n")
        #expect(try await door.ssh("ada", "reload").output == "version 3: nothing changed\n")
        #expect(try await door.ssh("ada", "reveal app.pin --reason lost").output == "4711-canary\n")
        let invalid = try await door.ssh("ada", "apply server.port=99999 --reason x")
        #expect(invalid.code == 65)
        #expect(invalid.output.contains("error[range]: server.port is 99999, but must be between 0 and 65535"))
        for (command, code) in [
            ("apply server.max_connections=9", 64), ("apply --reason x", 64), ("show --nonsense", 64), ("rollback", 64), ("nonsense", 64),
            ("rollback 99 --reason x", 1), ("show server.prot", 1), ("explain nothing.here", 1), ("apply server.port --reason x", 64),
        ] as [(String, Int32)] {
            let result = try await door.ssh("ada", command)
            #expect(result.code == code, "\(command): \(result.output)")
            #expect(result.output.hasPrefix("plue: "), "\(command): \(result.output)")
        }

        let shell = try await door.scratch.run(
            "printf 'show server.host\\nnonsense\\n\\nshow ssh.enabled\\n' | \(Estate.ssh) -i ada -p \(door.port) admin@127.0.0.1")
        #expect(
            shell.output.contains("127.0.0.1\n") && shell.output.contains("true\n")
                && shell.output.contains("there is no command 'nonsense'"))

        // A key that nobody knows.
        #expect(try await door.ssh("eve", "show").code == 255)
        #expect(try await daemon.plue("history").output.contains("ssh ssh:ada@laptop  less is more: server.max_connections"))
        try await eventually {
            let log = try await daemon.plue("audit log").output
            return log.contains("failed-login") && log.contains("ssh:bob@desk") && log.contains("reveal")
        }
        #expect(try await daemon.plue("audit verify").code == 0)
        #expect(try await daemon.stop() == 0)
        #expect(!daemon.log.contains("4711-canary"))
        #expect(try await door.scratch.run("grep -rqF 4711-canary state").code == 1)
    }

    @Test func `The file of keys is watched: a key that goes ends its sessions, and a line that is not understood changes nothing`()
        async throws
    {
        let door = try await Door()
        let (scratch, daemon) = (door.scratch, door.daemon)
        // Sits there until it is ended.
        async let sitting = scratch.run(
            "mkfifo in; sleep 1000 > in & \(Estate.ssh) -i bob -p \(door.port) admin@127.0.0.1 < in; echo ended; kill -9 $!")
        try await eventually { try await daemon.plue("status").output.contains("1 logged in") }

        let both = try scratch.read("authorized_keys")
        try scratch.write(both + "no key at all\n", to: "authorized_keys")
        try await eventually { try await daemon.status()["state"] as? String == "rejected" }
        #expect(try await daemon.plue("status").output.contains("line 3 is not '[options] type key [comment]'"))
        #expect(try await door.ssh("ada", "show server.host").output == "127.0.0.1\n")
        #expect(try await daemon.plue("status").output.contains("1 logged in"))

        try scratch.write(both.split(separator: "\n").prefix(1).joined() + "\n", to: "authorized_keys")
        try await eventually { try await daemon.status()["version"] as? Int == 2 }
        #expect(try await sitting.output.contains("ended"))
        #expect(try await door.ssh("bob", "show").code == 255)
        #expect(try await door.ssh("ada", "show server.host").output == "127.0.0.1\n")
        #expect(try await daemon.stop() == 0)
    }

    @Test func `The copy of the audit log goes on where it was, after an outage and after a kill; no change has waited for it`()
        async throws
    {
        let (scratch, database) = (try Scratch(), try await PostgresServer())
        let daemon = try await RunningDaemon(
            "[server]\nhost = 127.0.0.1\nport = 0\n[database]\nurl = \(database.url)\nusername = ada\naudit_export = true\n", in: scratch)
        func change(_ number: Int, _ daemon: RunningDaemon) async throws {
            #expect(try await daemon.plue("apply --set server.max_connections=\(number) --reason x").code == 0)
        }
        func caughtUp() async throws {
            try await eventually {
                let last = try await scratch.run("sqlite3 state/plue.db 'SELECT max(seq) || \" \" || max(seq) FROM audit_entry'").output
                let copy = "SELECT max(sequence) || ' ' || count(*) FROM plue_audit"
                return try await database.psql(copy, in: scratch).map { $0 + "\n" } == [last]
            }
        }
        try await eventually { try await database.psql("SELECT to_regclass('plue_audit') IS NOT NULL", in: scratch) == ["t"] }
        try await change(100, daemon)
        try await caughtUp()
        try await eventually { try await daemon.plue("status").output.contains("audit log exported up to ") }

        try await database.control("stop", in: scratch)
        for number in 101...103 { try await change(number, daemon) }
        try await eventually { daemon.log.contains("the audit log is not exported; it is caught up on later") }
        try await eventually { try await daemon.plue("status").output.contains(", not now: ") }
        try await database.control("start", in: scratch)
        try await caughtUp()

        kill(daemon.process, SIGKILL)
        _ = await daemon.exit()
        let again = try await RunningDaemon(in: scratch)
        try await change(104, again)
        try await caughtUp()
        let leaves = "SELECT string_agg(leaf, '' ORDER BY sequence) FROM plue_audit"
        let own = try await scratch.run(
            "sqlite3 state/plue.db 'SELECT lower(group_concat(hex(leaf), \"\")) FROM (SELECT leaf FROM audit_entry ORDER BY seq)'")
        #expect(try await database.psql(leaves, in: scratch).first.map { $0 + "\n" } == own.output)
        #expect(try await again.stop() == 0)
    }

    @Test func `A template is watched, a new section waits for the next start, and one that goes leaves its file alone`() async throws {
        let scratch = try Scratch()
        try scratch.write("port {{server.port}}\n", to: "one.template")
        try scratch.write("two {{security.jwt_secret}}\n", to: "two.template")
        try scratch.write("canary-of-two", to: "secret")
        let server = "[server]\nhost = 127.0.0.1\nport = 0\n[security]\njwt_secret = ${file:\(scratch.path)/secret}\n"
        let one =
            "[daemon.one]\ntemplate = \(scratch.path)/one.template\noutput = \(scratch.path)/one.conf\nreload = touch, \(scratch.path)/told\n"
        let two = "[daemon.two]\ntemplate = \(scratch.path)/two.template\noutput = \(scratch.path)/two.conf\n"
        let daemon = try await RunningDaemon(server + one, in: scratch)
        #expect(try scratch.read("one.conf") == "port 0\n")
        // It answers before all that it has to start was looked at.
        try await eventually { FileManager.default.fileExists(atPath: scratch.path + "/told") }
        try FileManager.default.removeItem(atPath: scratch.path + "/told")

        try scratch.write("the port is {{server.port}}\n", to: "one.template")
        try await eventually { try await daemon.status()["version"] as? Int == 2 }
        #expect(try scratch.read("one.conf") == "the port is 0\n")
        #expect(FileManager.default.fileExists(atPath: scratch.path + "/told"))
        // A template that cannot be rendered changes nothing.
        try scratch.write("{{server.prot}}\n", to: "one.template")
        try await eventually { try await daemon.status()["state"] as? String == "rejected" }
        #expect(
            try await daemon.plue("status").output.contains("there is no setting or section 'server.prot'; did you mean 'server.port'?"))
        #expect(try scratch.read("one.conf") == "the port is 0\n")
        try scratch.write("the port is {{server.port}}\n", to: "one.template")
        try await eventually { try await daemon.status()["state"] as? String == "running" }

        let plan = try await daemon.plue(
            "plan --set daemon.two.template=\(scratch.path)/two.template --set daemon.two.output=\(scratch.path)/two.conf")
        #expect(plan.output.contains("daemon.two: restart, then verified by the reload's exit status"), "\(plan.output)")
        // Two that write one file.
        try daemon.edit(server + one + two.replacing("two.conf", with: "one.conf"))
        try await eventually { try await daemon.status()["state"] as? String == "rejected" }
        #expect(try await daemon.plue("status").output.contains("[daemon.one] and [daemon.two] both write \(scratch.path)/one.conf"))
        try daemon.edit(server + one + two)
        try await eventually { try await daemon.status()["version"] as? Int == 3 }
        #expect(try await daemon.status()["pendingRestart"] as? [String] == ["daemon.two"])
        #expect(!FileManager.default.fileExists(atPath: scratch.path + "/two.conf"))
        try daemon.edit(server + two)
        try await eventually { try await daemon.status()["version"] as? Int == 4 }
        #expect(try scratch.read("one.conf") == "the port is 0\n")
        #expect(try await daemon.stop() == 0)

        let again = try await RunningDaemon(in: scratch)
        #expect(try await again.status()["pendingRestart"] as? [String] == [])
        #expect(try scratch.read("two.conf") == "two canary-of-two\n")
        let mode = try FileManager.default.attributesOfItem(atPath: scratch.path + "/two.conf")[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try scratch.read("one.conf") == "the port is 0\n")
        #expect(try await again.stop() == 0)
        #expect(!again.log.contains("canary-of-two"))
    }
}

/// A daemon with an ssh server that an operator (ada) and a viewer (bob) have keys of; eve has one that nobody knows.
private struct Door {
    let scratch: Scratch
    let daemon: RunningDaemon
    let port: Int

    /// - Parameter more: What else the configuration has; `PATH` stands for the scratch directory.
    init(_ more: String = "") async throws {
        let scratch = try Scratch()
        let make = try await scratch.run(
            """
            set -e
            for name in ada@laptop bob@desk eve@nowhere; do ssh-keygen -q -t ed25519 -N '' -C $name -f ${name%@*}; done
            echo "environment=\\"PLUE_ROLE=operator\\" $(cat ada.pub)" > authorized_keys
            cat bob.pub >> authorized_keys
            printf 4711-canary > pin
            """)
        try #require(make.code == 0, "\(make.output)")
        let port = try await Estate.freePort(scratch)
        let pin = "{\"type\":\"object\",\"properties\":{\"app\":{\"type\":\"object\",\"properties\":{\"pin\":{\"type\":\"string\"}}}}}"
        try scratch.write(pin, to: "config/schema.json")
        daemon = try await RunningDaemon(
            """
            [server]
            host = 127.0.0.1
            port = 0
            [ssh]
            enabled = true
            port = \(port)
            authorized_keys = \(scratch.path)/authorized_keys
            terminate_revoked = true
            \(more.replacing("PATH", with: scratch.path))
            """, in: scratch)
        self.scratch = scratch
        self.port = port
    }

    func ssh(_ key: String, _ command: String) async throws -> (output: String, code: Int32) {
        try await scratch.run("\(Estate.ssh) -i \(key) -p \(port) admin@127.0.0.1 '\(command)'")
    }
}
