import Foundation
import PlueConfig
import PlueProcess
import SystemPackage
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

@Suite("An external daemon", .timeLimit(.minutes(3)))
struct ExternalDaemonTests {
    // MARK: - A change that goes well

    @Test("a change is rendered, read by the daemon, seen from outside, and leaves nothing behind")
    func goodChange() async throws {
        try await FakeDaemon.run { fake in
            try await Stage.run { stage in
                let (port, moved) = (try freePort(), try freePort())
                try await stage.go(fake.settings(port))
                #expect(try fake.file == "# for you\nport \(port)\ngreeting hello\n")
                #expect(try await greeting(of: port) == "hello\n")
                let pid = fake.pid

                try await stage.go(fake.settings(moved, "again"))
                #expect(try await greeting(of: moved) == "again\n")
                #expect(try await greeting(of: port) == nil)
                #expect(fake.pid == pid, "it was reloaded and not restarted")
                #expect(fake.readings == ["hello \(port)", "again \(moved)"])
                try await stage.drained()
                #expect(try fake.scratch.hidden == [])
            }
            // The end of this process is not the daemon's.
            #expect(fake.pid.map { kill($0, 0) } == 0)
        }
    }

    @Test("one that is up with the right file is left alone at the start, and brought up when it is down")
    func start() async throws {
        try await FakeDaemon.run { fake in
            let port = try freePort()
            try await Stage.run { try await $0.go(fake.settings(port)) }
            let pid = fake.pid
            try await Stage.run { try await $0.go(fake.settings(port)) }
            #expect(fake.pid == pid)
            #expect(fake.readings == ["hello \(port)"])

            await fake.end()
            try await Stage.run { stage in
                try await stage.go(fake.settings(port))
                #expect(stage.log.text.contains("the daemon is down; it is started"))
            }
            #expect(fake.pid != pid)
            #expect(try await greeting(of: port) == "hello\n")
        }
    }

    @Test("twenty changes, one after the other, are twenty files read in order")
    func storm() async throws {
        try await FakeDaemon.run { fake in
            try await Stage.run { stage in
                let port = try freePort()
                for number in 0..<20 {
                    var settings = fake.settings(port, "number \(number)")
                    settings.timeouts.settling = .zero
                    try await stage.go(settings)
                    // Read before the next file comes, which would take its place in the one signal that waits.
                    try await eventually("it was read") { fake.readings.last == "number \(number) \(port)" }
                }
                #expect(fake.readings == (0..<20).map { "number \($0) \(port)" })
                try await stage.drained()
                #expect(try fake.scratch.hidden == [])
            }
        }
    }

    // MARK: - Refused before anything changes

    @Test("what the daemon's own check refuses is refused with what it said")
    func badFile() async throws {
        try await FakeDaemon.run { fake in
            try await expectUntouched(fake) { settings, _ in
                settings = fake.settings(settings.port, extra: "bad line")
            } saying: { refusal in
                #expect(refusal.hasPrefix("daemon: check (sh) exited with status 4: checking \(fake.scratch["."].removingLastComponent())"))
                #expect(refusal.contains("bad line"))
            }
        }
    }

    @Test("a check that does not end is ended, at its own deadline or at the transaction's")
    func hungCheck() async throws {
        try await FakeDaemon.run { fake in
            try await expectUntouched(fake) { settings, _ in
                settings = fake.settings(settings.port, extra: "check-hangs")
                settings.timeouts.check = .milliseconds(300)
            } saying: {
                #expect($0 == "daemon: check (sh) did not end within 0.3 seconds and was stopped")
            }
            try await expectUntouched(fake, prepare: .milliseconds(300)) { settings, _ in
                settings = fake.settings(settings.port, extra: "check-hangs")
            } saying: {
                #expect($0 == "daemon: did not prepare within 300ms")
            }
        }
    }

    @Test("a port that another program has is refused, which no check command would have noticed")
    func portTaken() async throws {
        try await FakeDaemon.run { fake in
            let squatter = try Squatter(port: try freePort())
            try await expectUntouched(fake) { settings, _ in
                settings = fake.settings(squatter.port)
            } saying: {
                #expect($0 == "daemon: port \(squatter.port) is already in use on 127.0.0.1 by another program")
            }
            try await expectUntouched(fake) { settings, _ in
                settings.addresses = [.loopback(settings.port), .loopback(squatter.port)]
            } saying: {
                #expect($0 == "daemon: port \(squatter.port) is already in use on 127.0.0.1 by another program")
            }
        }
    }

    @Test("a name that means nothing is refused with the template's line")
    func missingName() async throws {
        try await FakeDaemon.run { fake in
            try await expectUntouched(fake) { _, _ in
                try fake.scratch.write("template", "port {{web.port}}\ngreeting {{web.greting}}\n")
            } saying: {
                #expect($0 == "daemon: template:2: there is no setting or section 'web.greting'; did you mean 'web.greeting'?")
            }
        }
    }

    @Test(
        "settings that cannot be are refused in words",
        arguments: [
            "a template that is missing", "no place for the file", "a directory that cannot be written", "a link", "relative",
            "blind check", "elsewhere",
        ])
    func impossible(_ what: String) async throws {
        try await FakeDaemon.run { fake in
            try await expectUntouched(fake) { settings, output in
                switch what {
                case "a template that is missing": settings.template = "/no/such/template"
                case "no place for the file": output = "/no/such/directory/x.conf"
                // Not even root may create files there.
                case "a directory that cannot be written": output = "/sys/kernel/x.conf"
                case "a link":
                    symlink("/etc/hostname", fake.scratch["link.conf"].string)
                    output = fake.scratch["link.conf"]
                case "relative": output = "x.conf"
                case "blind check": settings.check = ["true"]
                default: settings.output = fake.scratch["other.conf"]
                }
            } saying: { refusal in
                switch what {
                case "a template that is missing":
                    #expect(refusal == "daemon: the template cannot be read: /no/such/template does not exist")
                case "no place for the file":
                    #expect(
                        refusal
                            == "daemon: /no/such/directory/x.conf cannot be written: the directory /no/such/directory does not exist")
                case "a directory that cannot be written": #expect(refusal.hasPrefix("daemon: /sys/kernel/x.conf cannot be written: "))
                case "a link":
                    #expect(refusal.hasSuffix("link.conf is not a regular file; if it is a link, name the file that it leads to"))
                case "relative": #expect(refusal == "daemon: output 'x.conf' is not a path from /")
                case "blind check":
                    #expect(refusal == "daemon: check does not name {file}, so it would not look at what was rendered")
                default: #expect(refusal.hasSuffix("other.conf, which needs a restart"))
                }
            }
        }
    }

    @Test("when another service cannot prepare, the candidate goes without a trace")
    func otherRefuses() async throws {
        try await FakeDaemon.run { fake in
            try await Stage.run { stage in
                let port = try freePort()
                try await stage.go(fake.settings(port))
                let refusal = await stage.commit(fake.settings(port, "again"), other: .cannotPrepare).refusal
                #expect(refusal == "other: not today")
                try await stage.drained()
                #expect(try fake.scratch.hidden == [])
                #expect(fake.readings == ["hello \(port)"])
            }
        }
    }

    // MARK: - Taken back

    @Test("when a reload fails, the former file is back byte for byte, and the daemon serves with it")
    func failingReload() async throws {
        try await FakeDaemon.run { fake in
            try await expectTakenBack(fake) {
                fake.settings($0, "again", extra: "reload-fails")
            } saying: {
                #expect($0.hasPrefix("daemon: reload (sh) exited with status 5: "))
                #expect($0.hasSuffix("no reload today"))
            }
        }
    }

    @Test("a reload that does not end is ended, at its own deadline or at the transaction's, and taken back")
    func hungReload() async throws {
        try await FakeDaemon.run { fake in
            try await expectTakenBack(fake) { port in
                var settings = fake.settings(port, "again", extra: "reload-hangs")
                settings.timeouts.reload = .milliseconds(300)
                return settings
            } saying: {
                #expect($0 == "daemon: reload (sh) did not end within 0.3 seconds and was stopped")
            }
        }
        try await FakeDaemon.run { fake in
            // The verification is left behind at its deadline; what goes back waits for it to end.
            try await expectTakenBack(fake, verify: .seconds(8)) {
                fake.settings($0, "again", extra: "reload-hangs")
            } saying: {
                #expect($0 == "daemon: did not verify within 8s")
            }
        }
    }

    @Test("a daemon that its reload ends is brought up again with the former file")
    func diesOfReload() async throws {
        try await FakeDaemon.run { fake in
            try await expectTakenBack(fake, reread: true) { port in
                var settings = fake.settings(port, "again", extra: "die")
                settings.timeouts.probe = .milliseconds(300)
                return settings
            } saying: {
                #expect($0.contains("is not alive"))
            }
        }
    }

    @Test("a daemon that answers with its old self, and then dies of its reload, is found out")
    func diesLate() async throws {
        try await FakeDaemon.run { fake in
            try await expectTakenBack(fake, reread: true) { port in
                var settings = fake.settings(port, "again", extra: "late-death")
                settings.timeouts.settling = .seconds(8)
                settings.timeouts.probe = .milliseconds(300)
                return settings
            } saying: {
                #expect($0.contains("is not alive") || $0.contains("does not take connections"))
            }
        }
    }

    @Test("a daemon that is dead and not reaped counts as dead")
    func zombie() async throws {
        try await FakeDaemon.run { fake in
            let port = try freePort()
            // It ends, and this process, which is its parent, does not reap it before the test is over.
            let child = try ownChild("/bin/true")
            defer { waitpid(child, nil, 0) }
            try await eventually("it has ended") { try String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8).contains(") Z ") }
            try fake.scratch.write("zombie.pid", "\(child)\n")
            #expect(kill(child, 0) == 0, "which is what asking by signal says")
            try await Stage.run { stage in
                var settings = fake.settings(port)
                settings.start = []
                settings.probe = nil
                settings.pidFile = fake.scratch["zombie.pid"]
                settings.timeouts.probe = .milliseconds(100)
                settings.reload = []
                let refusal = await stage.commit(settings).refusal
                #expect(refusal?.contains("process \(child) of \(fake.scratch["zombie.pid"]) is not alive") == true)
            }
        }
    }

    @Test("a daemon that does not do what its file says is taken back when it is looked at from outside")
    func notServing() async throws {
        try await FakeDaemon.run { fake in
            let moved = try freePort()
            try await expectTakenBack(fake) { _ in
                var settings = fake.settings(moved, "again", extra: "ignore")
                settings.timeouts.probe = .milliseconds(300)
                return settings
            } saying: {
                #expect($0 == "daemon: 127.0.0.1:\(moved) does not take connections: Connection refused")
            }
        }
    }

    @Test("when another service fails its verification, the daemon goes back too")
    func otherFails() async throws {
        try await FakeDaemon.run { fake in
            try await expectTakenBack(fake, other: .failsVerification, reread: true) {
                fake.settings($0, "again")
            } saying: {
                #expect($0 == "other: does not answer")
            }
        }
    }

    @Test("a reload command that is not there has told the daemon nothing, so going back needs none")
    func noReloadCommand() async throws {
        try await FakeDaemon.run { fake in
            try await Stage.run { stage in
                let port = try freePort()
                try await stage.go(fake.settings(port))
                var settings = fake.settings(port, "again")
                settings.reload = ["/no/such/program"]
                let refusal = await stage.commit(settings).refusal
                #expect(refusal == "daemon: reload (program) could not be started: there is no such program")
                #expect(fake.readings == ["hello \(port)"])
                #expect(try fake.file.contains("greeting hello"))
            }
        }
    }

    @Test("what cannot be taken back is said, and the next change that works ends it")
    func degraded() async throws {
        try await FakeDaemon.run { fake in
            try await Stage.run { stage in
                let port = try freePort()
                var first = fake.settings(port)
                first.start = []
                first.timeouts.probe = .milliseconds(300)
                let outcome = await stage.commit(first)
                #expect(!outcome.isCommitted, "it is down, and nothing here can bring it up")
                try await stage.go(fake.settings(port))
                try await stage.go(first)

                var deadly = fake.settings(port, "again", extra: "die")
                deadly.start = []
                deadly.timeouts.probe = .milliseconds(300)
                let sentence = await stage.commit(deadly).degradation
                #expect(
                    sentence?.contains("what ran before was swapped back and does not work either: the former file is back, but ") == true)
                #expect(try fake.file.contains("greeting hello"))
                try await stage.drained()
                #expect(try fake.scratch.hidden.count == 1, "the next start would find that something is not decided")

                try await eventually("it works again") { await stage.commit(fake.settings(port, "better")).isCommitted }
                #expect(try await greeting(of: port) == "better\n")
                try await stage.drained()
                #expect(try fake.scratch.hidden == [])
            }
        }
    }

    // MARK: - Secrets, mode, owner

    @Test("a secret reaches the file, which others may not read, and no message")
    func secrets() async throws {
        let password = "correct horse battery"
        try await FakeDaemon.run { fake in
            try await Stage.run { stage in
                let port = try freePort()
                try await stage.go(fake.settings(port, password: password))
                #expect(try fake.file.contains("password \(password)\n"))
                #expect(fake.scratch.mode("daemon.conf") == 0o600)

                for extra in ["bad", "reload-fails"] {
                    let outcome = await stage.commit(fake.settings(port, extra: extra, password: password + " staple"))
                    let sentence = try #require(outcome.refusal)
                    #expect(sentence.contains("password <secret>"), "\(sentence)")
                    for piece in ["corr", "hors", "batt", "stap"] { #expect(!"\(outcome)".contains(piece)) }
                }
                #expect(!stage.log.text.contains("horse"))
                var dumped = ""
                dump(fake.settings(port, password: password), to: &dumped)
                #expect(!dumped.contains("horse"))
            }
        }
    }

    @Test("mode, owner and group of the file stay what they were; without a file it is 0640, and what was asked for counts")
    func mode() async throws {
        try await FakeDaemon.run { fake in
            try await Stage.run { stage in
                let port = try freePort()
                try await stage.go(fake.settings(port))
                #expect(fake.scratch.mode("daemon.conf") == 0o640)
                chmod(fake.scratch["daemon.conf"].string, 0o604)
                if geteuid() == 0 { chown(fake.scratch["daemon.conf"].string, 12, 34) }
                try await stage.go(fake.settings(port, "again"))
                var status = stat()
                stat(fake.scratch["daemon.conf"].string, &status)
                #expect(status.st_mode & 0o777 == 0o604)
                if geteuid() == 0 { #expect(status.st_uid == 12 && status.st_gid == 34) }
                var settings = fake.settings(port, "again", password: "open sesame")
                settings.mode = [.ownerRead, .groupRead]
                try await stage.go(settings)
                #expect(fake.scratch.mode("daemon.conf") == 0o440)

                _ = await stage.commit(fake.settings(port, extra: "reload-fails"))
                #expect(fake.scratch.mode("daemon.conf") == 0o440, "also when it is taken back")
            }
        }
    }

    // MARK: - Killed in between

    /// What a process leaves behind that ends right after the rename: the daemon has read the former file, and runs.
    private func killedAfterRename(_ fake: FakeDaemon, _ port: Int, next: String) async throws {
        try await Stage.run { try await $0.go(fake.settings(port)) }
        let (file, former) = (fake.scratch["daemon.conf"].string, fake.scratch[".daemon.conf.plue-former-x"].string)
        link(file, former)
        try fake.scratch.write("unfinished", next)
        rename(fake.scratch["unfinished"].string, file)
        try fake.scratch.write(".daemon.conf.plue-next-y", "left over")
    }

    @Test("killed between the rename and the end: what the next start wants is read, whichever it is", arguments: ["hello", "again"])
    func killed(wanted: String) async throws {
        try await FakeDaemon.run { fake in
            let port = try freePort()
            try await killedAfterRename(fake, port, next: "# for you\nport \(port)\ngreeting again\n")
            try await Stage.run { stage in
                try await stage.go(fake.settings(port, wanted))
                #expect(try fake.file.contains("greeting \(wanted)"))
                #expect(try await greeting(of: port) == "\(wanted)\n")
                #expect(fake.readings == ["hello \(port)", "\(wanted) \(port)"], "nobody knows whether it was read")
                #expect(try fake.scratch.hidden == [])
            }
        }
    }

    @Test("killed in between, and the new file is none the daemon can live with: the one before it is the last good one")
    func killedWithBadFile() async throws {
        try await FakeDaemon.run { fake in
            let port = try freePort()
            try await killedAfterRename(fake, port, next: "# for you\nport \(port)\ngreeting again\ndie\n")
            try await Stage.run { stage in
                var settings = fake.settings(port, "again", extra: "die")
                settings.timeouts.probe = .milliseconds(300)
                let refusal = await stage.commit(settings).refusal
                #expect(refusal?.hasSuffix("; the file that was there before is back") == true, "\(refusal ?? "")")
                #expect(try fake.file.contains("greeting hello"))
                try await eventually("it serves again") { try await greeting(of: port) == "hello\n" }
                try await stage.drained()
                #expect(try fake.scratch.hidden == [])
            }
        }
    }

    @Test("a first start that fails puts back what was there, and where nothing was, nothing is")
    func failingStart() async throws {
        try await FakeDaemon.run { fake in
            let port = try freePort()
            var settings = fake.settings(port, extra: "reload-fails")
            settings.start = []
            let first = settings
            try await Stage.run { stage in
                #expect(await stage.commit(first).refusal?.contains("no reload today") == true)
                try await stage.drained()
            }
            #expect(throws: (any Error).self) { try fake.file }
            #expect(try fake.scratch.hidden == [])

            try await Stage.run { try await $0.go(fake.settings(port)) }
            let second = fake.settings(port, "again", extra: "reload-fails")
            try await Stage.run { stage async throws in
                #expect(await stage.commit(second).refusal?.contains("no reload today") == true)
                #expect(try fake.file.contains("greeting hello"))
                #expect(try await greeting(of: port) == "hello\n")
            }
            #expect(try fake.scratch.hidden == [])
        }
    }

    // MARK: - Who takes part

    @Test("only what changes the file, or how it is handled, concerns the daemon")
    func action() async throws {
        try await FakeDaemon.run { fake in
            try await Stage.run { stage in
                let port = try freePort()
                let settings = fake.settings(port, values: ["mail.port": .integer(25)])
                let elsewhere = fake.settings(port, values: ["mail.port": .integer(26)])
                #expect(stage.daemon.action(from: settings, to: elsewhere) == .live, "nobody knows what the template uses")
                try await stage.go(settings)
                #expect(stage.daemon.action(from: settings, to: settings) == .none)
                #expect(stage.daemon.action(from: settings, to: elsewhere) == .none)
                #expect(stage.daemon.action(from: settings, to: fake.settings(port, "again", values: ["mail.port": .integer(25)])) == .live)
                #expect(stage.daemon.action(from: settings, to: fake.settings(port, password: "x")) == .live)
                #expect(stage.daemon.action(from: settings, to: fake.settings(port + 1)) == .swap)
                var slower = settings
                slower.timeouts.reload = .seconds(3)
                #expect(stage.daemon.action(from: settings, to: slower) == .live)
                #expect(
                    stage.daemon.verification(of: settings)
                        == "127.0.0.1:\(port) takes connections, the process of \(fake.scratch["daemon.pid"]) is alive")
            }
        }
    }

    @Test("settings that come to the same file touch neither it nor the daemon")
    func sameFile() async throws {
        try await FakeDaemon.run { fake in
            try await Stage.run { stage in
                let port = try freePort()
                try await stage.go(fake.settings(port))
                var before = stat()
                stat(fake.scratch["daemon.conf"].string, &before)
                try await stage.go(fake.settings(port, values: ["mail.port": .integer(26)]))
                #expect(await stage.commit(fake.settings(port), other: .failsVerification).refusal == "other: does not answer")
                var after = stat()
                stat(fake.scratch["daemon.conf"].string, &after)
                #expect(before.st_ino == after.st_ino)
                #expect(fake.readings == ["hello \(port)"])
                try await stage.drained()
                #expect(try fake.scratch.hidden == [])
            }
        }
    }

    // MARK: -

    /// A change that has to be refused in preparation: the file, the daemon and the directory stay as they were.
    /// - Parameter change: Changes the settings; an output other than the daemon's is tried at a first start.
    private func expectUntouched(
        _ fake: FakeDaemon, prepare: Duration = .seconds(60),
        _ change: @escaping @Sendable (inout ExternalDaemon.Settings, inout FilePath?) throws -> Void,
        saying expect: @escaping @Sendable (String) -> Void, at location: SourceLocation = #_sourceLocation
    ) async throws {
        try await Stage.run { stage in
            let port = try freePort()
            try fake.scratch.write("template", FakeDaemon.template)
            await fake.end()
            try await stage.go(fake.settings(port))
            let (file, readings) = (try fake.file, fake.readings)
            var settings = fake.settings(port)
            var output: FilePath?
            try change(&settings, &output)
            let outcome: String?
            if let output {
                settings.output = output
                outcome = try await Stage.run { [settings] in await $0.commit(settings) }.refusal
            } else {
                outcome = await stage.commit(settings, prepare: prepare).refusal
            }
            let refusal = try #require(outcome, sourceLocation: location)
            expect(refusal)
            #expect(try fake.file == file, sourceLocation: location)
            #expect(fake.readings == readings, sourceLocation: location)
            #expect(try await greeting(of: port) == "hello\n", sourceLocation: location)
            try await eventually("no candidate is left", at: location) { try fake.scratch.hidden == [] }
        }
    }

    /// A change that has to be taken back: the file is the former one, byte for byte, and the daemon serves with it.
    /// - Parameter reread: Whether the daemon has to have read the former file once more.
    private func expectTakenBack(
        _ fake: FakeDaemon, other: Other.Behaviour = .good, verify: Duration = .seconds(60), reread: Bool = false,
        _ change: @escaping @Sendable (Int) -> ExternalDaemon.Settings, saying expect: @escaping @Sendable (String) -> Void,
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        try await Stage.run { stage in
            let port = try freePort()
            try await stage.go(fake.settings(port))
            // What somebody added by hand was there as well.
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: fake.scratch["daemon.conf"].string))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data("# by hand\n".utf8))
            try handle.close()
            let file = try fake.file
            let outcome = await stage.commit(change(port), other: other, verify: verify)
            expect(try #require(outcome.refusal, "\(outcome)", sourceLocation: location))
            #expect(try fake.file == file, sourceLocation: location)
            try await eventually("it serves as before", at: location) { try await greeting(of: port) == "hello\n" }
            if reread {
                try await eventually("it has read the former file", at: location) {
                    fake.readings.filter { $0 == "hello \(port)" }.count >= 2
                }
            }
            try await stage.drained()
            #expect(try fake.scratch.hidden == [], sourceLocation: location)
            try await stage.go(fake.settings(port, "better"))
            #expect(try await greeting(of: port) == "better\n", sourceLocation: location)
        }
    }

    private func ownChild(_ program: String) throws -> pid_t {
        var pid: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(program), nil]
        defer { free(arguments[0]) }
        guard posix_spawn(&pid, program, nil, nil, &arguments, nil) == 0 else { throw TestFailure("spawn") }
        return pid
    }
}

extension ExternalDaemon.Settings {
    /// The port of a fake daemon's probe.
    fileprivate var port: Int { if case .tcp(let address) = probe { address.port } else { 0 } }
}
