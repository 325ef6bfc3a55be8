import Foundation
import Testing

/// The daemon as its operator has it: files that are edited, signals, a socket, a process that may be killed.
@Suite struct DaemonTests {
    @Test func `An edit moves the server, a mistake changes nothing, putting it back clears the alarm`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        #expect(try await daemon.status()["version"] as? Int == 1)
        let old = try #require(try await daemon.address())

        try daemon.edit("[server]\nhost = 127.0.0.2\nport = 0\n")
        try await until { try await daemon.status()["version"] as? Int == 2 }
        let new = try #require(try await daemon.address(on: "127.0.0.2"))
        #expect(new != old)
        #expect(try await daemon.scratch.run("curl -sS http://\(new)/healthz").output == "ok\n")

        try daemon.edit("[server]\nhost = 127.0.0.2\nport = 99999\n")
        try await until { try await daemon.status()["state"] as? String == "rejected" }
        #expect(try await daemon.status()["version"] as? Int == 2)
        #expect(try await daemon.plue("status").output.contains("error[range]: server.port is 99999, but must be between 0 and 65535"))
        #expect(try await daemon.plue("reload").code == 65)
        #expect(try await daemon.scratch.run("curl -sS http://\(new)/healthz").output == "ok\n")

        try daemon.edit("[server]\nhost = 127.0.0.2\nport = 0\n")
        try await until { try await daemon.status()["state"] as? String == "running" }
        let status = try await daemon.plue("status").output
        #expect(!status.contains("rejected"))
        #expect(try await daemon.status()["version"] as? Int == 2)

        let history = try await daemon.plue("history").output
        #expect(history.contains("file:\(getuid())"))
        #expect(try await daemon.plue("diff 1 2").output.contains("server.host: 127.0.0.1 → 127.0.0.2"))
        #expect(try await daemon.stop() == 0)
    }

    @Test func `SIGHUP and reload read the files again, and watch tells of it`() async throws {
        // Without a watch only they do.
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n[reload]\nwatch = off\n")
        async let watched = daemon.plue("watch", "timeout 20 ", " | head -n 1")
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\ndebug = true\n[reload]\nwatch = off\n")
        kill(daemon.process, SIGHUP)
        try await until { try await daemon.status()["version"] as? Int == 2 }
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\nmax_connections = 7\n[reload]\nwatch = off\n")
        let reload = try await daemon.plue("reload")
        #expect(reload.code == 0)
        #expect(try await daemon.status()["version"] as? Int == 3)
        #expect(try await watched.output.isEmpty == false)
        #expect(try await daemon.stop() == 0)
    }

    @Test func `systemd hears when it is up, how each reload ended, and when it stops`() async throws {
        let scratch = try Scratch()
        // One message a line, as systemd reads them; it ends with the daemon, or by itself.
        async let heard = scratch.run(
            """
            python3 -c 'import socket
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.settimeout(30); s.bind("notify")
            m = ""
            while m != "STOPPING=1": m = s.recv(4096).decode(); open("heard", "a").write(m.replace(chr(10), " ") + chr(10))'
            """)
        try await until { FileManager.default.fileExists(atPath: scratch.path + "/notify") }
        func lines() -> [String] {
            ((try? String(contentsOfFile: scratch.path + "/heard", encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
        }

        let quiet = "[reload]\nwatch = off\n"
        let daemon = try await RunningDaemon(
            "[server]\nhost = 127.0.0.1\nport = 0\n" + quiet, in: scratch, ["NOTIFY_SOCKET": scratch.path + "/notify"])
        try await until { lines().first == "READY=1 STATUS=version 1 of development runs" }

        let signalled = DispatchTime.now().uptimeNanoseconds / 1000
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 99999\n" + quiet)
        kill(daemon.process, SIGHUP)
        let verdict = "version 1 of development runs; a change was refused: server.port is 99999, but must be between 0 and 65535"
        try await until { lines().last == "READY=1 STATUS=\(verdict)" }
        let reloading = try #require(lines().first { $0.hasPrefix("RELOADING=1 MONOTONIC_USEC=") })
        #expect(try #require(UInt64(reloading.dropFirst("RELOADING=1 MONOTONIC_USEC=".count))) >= signalled)

        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\ndebug = true\n" + quiet)
        #expect(try await daemon.plue("reload").code == 0)
        // Nobody signalled, so nothing is answered.
        try await until { lines().last == "STATUS=version 2 of development runs" }

        #expect(try await daemon.stop() == 0)
        #expect(try await heard.code == 0)
        #expect(lines().last == "STOPPING=1")
    }

    @Test func `A second daemon is refused, and the first does not notice`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        let second = try await daemon.plue("serve")
        #expect(second.code == 75)
        #expect(second.output.contains("state"))
        #expect(try await daemon.plue("status").code == 0)
        #expect(try await daemon.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: daemon.scratch.path + "/state/plue.sock"))
    }

    @Test func `After a kill it starts again where it was, with its history`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\ndebug = true\n")
        try await until { try await daemon.status()["version"] as? Int == 2 }
        kill(daemon.process, SIGKILL)
        _ = await daemon.exit()
        #expect(try await daemon.plue("status").code == 69)
        let again = try await RunningDaemon(in: daemon.scratch)
        #expect(try await again.status()["version"] as? Int == 2)
        #expect(try await again.plue("history").output.contains("v1"))
        #expect(try await again.stop() == 0)
    }

    @Test func `A change that nobody confirms is taken back, also when the daemon was killed meanwhile`() async throws {
        let text = "# mine\n[server]\nhost = 127.0.0.1\nport = 0\n"
        let daemon = try await RunningDaemon(text)
        let apply = try await daemon.plue("apply --set server.max_connections=7 --reason try --confirm-within 8s")
        #expect(apply.code == 0)
        #expect(try await daemon.status()["state"] as? String == "awaiting-confirm")
        kill(daemon.process, SIGKILL)
        _ = await daemon.exit()
        #expect(try daemon.scratch.read("config/development.ini") == text + "max_connections = 7\n")

        // In time it waits on.
        let again = try await RunningDaemon(in: daemon.scratch)
        #expect(try await again.status()["state"] as? String == "awaiting-confirm")
        try await until { try await again.status()["version"] as? Int == 3 }
        #expect(try daemon.scratch.read("config/development.ini") == text)
        #expect(try await again.plue("history").output.contains("version 2 was not confirmed in time"))

        // Too late it comes back with the former version, whatever the one that waits would have done.
        #expect(try await again.plue("apply --set server.max_connections=8 --reason try --confirm-within 1s").code == 0)
        kill(again.process, SIGKILL)
        _ = await again.exit()
        try await Task.sleep(for: .seconds(1))
        let last = try await RunningDaemon(in: daemon.scratch)
        #expect(try await last.status()["version"] as? Int == 5)
        #expect(try await last.status()["state"] as? String == "running")
        #expect(try daemon.scratch.read("config/development.ini") == text)
        #expect(try await last.plue("confirm").code == 75)
        #expect(try await last.stop() == 0)
    }

    @Test func `While a change waits nobody else's comes in between, and what was saved meanwhile follows`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        #expect(try await daemon.plue("apply --set server.max_connections=7 --reason try --confirm-within 60s").code == 0)
        #expect(try await daemon.plue("apply --set server.debug=true --reason mine").code == 75)
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\nmax_connections = 7\ndebug = true\n")
        try await until { try await daemon.status()["drift"] as? Bool == true }
        #expect(try await daemon.status()["version"] as? Int == 2)
        #expect(try await daemon.plue("confirm").output == "version 2 is confirmed\n")
        try await until { try await daemon.status()["version"] as? Int == 3 }
        #expect(try await daemon.plue("apply --set server.debug=false --reason a --confirm-within 60s").code == 0)
        #expect(try await daemon.plue("apply --set server.max_connections=8 --reason b --replace-pending").code == 0)
        #expect(try await daemon.status()["state"] as? String == "running")
        // Going back to where it would go anyway needs no leave.
        #expect(try await daemon.plue("apply --set server.max_connections=9 --reason c --confirm-within 60s").code == 0)
        #expect(try await daemon.plue("rollback 5 --reason no").code == 0)
        #expect(try await daemon.status()["state"] as? String == "running")
        #expect(try await daemon.stop() == 0)
    }

    @Test func `An edit that does not run yet is not swept in with a change, and a rollback overrules it`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n[reload]\nwatch = off\n")
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\nnonsense = 1\n[reload]\nwatch = off\n")
        let apply = try await daemon.plue("apply --set server.debug=true --reason mine")
        #expect(apply.code == 75)
        #expect(apply.output.contains("development.ini was edited and does not run"))
        #expect(try await daemon.plue("rollback 1 --reason repair").code == 0)
        #expect(try daemon.scratch.read("config/development.ini") == "[server]\nhost = 127.0.0.1\nport = 0\n[reload]\nwatch = off\n")
        #expect(try await daemon.stop() == 0)
    }

    @Test func `With broken files it runs the last known good version, and says so, until a valid save`() async throws {
        let scratch = try Scratch()
        let first = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\nmax_connections = 5\n", in: scratch)
        #expect(try await first.stop() == 0)
        try scratch.write("[server\n", to: "config/development.ini")
        #expect(try await scratch.run("plue serve --config-dir config --state-dir state").code == 65)
        let daemon = try await RunningDaemon(in: scratch, arguments: ["--last-known-good"])
        #expect(try await daemon.status()["version"] as? Int == 1)
        #expect(try await daemon.status()["lastKnownGood"] as? Bool == true)
        #expect(try await daemon.plue("status").output.contains("last known good"))
        #expect(daemon.log.contains("the files are invalid; the version that ran last runs in their place"))
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\nmax_connections = 6\n")
        try await until { try await daemon.status()["version"] as? Int == 2 }
        #expect(try await daemon.status()["lastKnownGood"] as? Bool == false)
        #expect(try await daemon.stop() == 0)
    }

    @Test func `A configuration that is wrong at the start ends the start, with every mistake`() async throws {
        let scratch = try Scratch()
        try scratch.write("[server]\nport = 99999\nhost =\n", to: "config/development.ini")
        let result = try await scratch.run("plue serve --config-dir config --state-dir state")
        #expect(result.code == 65)
        #expect(result.output.contains("error[range]"))
        #expect(result.output.contains("development.ini:3:"))
    }

    @Test func `A secret is in no output, no answer, and no file that the daemon writes`() async throws {
        let canary = "canary-\(UUID().uuidString)"
        let literal = "canary-\(UUID().uuidString)"
        let scratch = try Scratch()
        try scratch.write(canary + "\n", to: "secret")
        let text =
            "[server]\nhost = 127.0.0.1\nport = 0\n[security]\nsecret_key = ${KEY}\ndatabase_password = ${file:\(scratch.path)/secret}\njwt_secret = ${KEY}\n"
        let daemon = try await RunningDaemon(text, in: scratch, ["KEY": canary])
        var outputs = [String]()
        for command in [
            "show", "explain security.secret_key", "status", "history", "plan", "diff", "check --format json",
            "show security --format json", "explain security.jwt_secret --format json",
        ] {
            outputs.append(try await daemon.plue(command, "KEY=\(canary) ").output)
        }
        let address = try #require(try await daemon.address())
        for path in ["v1/status", "v1/config", "v1/config/security", "v1/config/security/secret_key", "v1/history"] {
            outputs.append(try await scratch.run("curl -sS -i http://\(address)/\(path)").output)
        }
        // A mistake beside a secret shows no secret, and a secret that breaks its own rule neither.
        try daemon.edit(text + "nonsense = ${KEY}\njwt_secrett = ${KEY}\n")
        try await until { try await daemon.status()["state"] as? String == "rejected" }
        outputs.append(try await daemon.plue("status").output)
        outputs.append(try await daemon.plue("check", "KEY=\(canary) ").output)
        #expect(try await daemon.stop() == 0)
        outputs.append(daemon.log)
        for output in outputs { #expect(!output.contains(canary) && !output.contains(literal)) }
        let files = FileManager.default.enumerator(atPath: scratch.path + "/state")
        while let name = files?.nextObject() as? String {
            let bytes = FileManager.default.contents(atPath: scratch.path + "/state/" + name) ?? Data()
            #expect(bytes.range(of: Data(canary.utf8)) == nil, "\(name)")
        }
    }
}

/// A daemon of one test, ended with it.
private final class RunningDaemon: Sendable {
    let scratch: Scratch
    private let daemon: Process
    private let logPath: String

    var process: Int32 { daemon.processIdentifier }
    var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    /// Starts on one document and waits until it answers.
    convenience init(_ text: String, in scratch: Scratch? = nil, _ variables: [String: String] = [:]) async throws {
        let scratch = try scratch ?? Scratch()
        try scratch.write(text, to: "config/development.ini")
        try await self.init(in: scratch, variables)
    }

    init(in scratch: Scratch, _ variables: [String: String] = [:], arguments: [String] = []) async throws {
        self.scratch = scratch
        logPath = scratch.path + "/log-\(UUID().uuidString)"
        try Data().write(to: URL(filePath: logPath))
        daemon = Process()
        daemon.executableURL = URL(filePath: Binary.path)
        daemon.arguments = ["serve", "--config-dir", scratch.path + "/config", "--state-dir", scratch.path + "/state"] + arguments
        daemon.environment = scratch.environment.merging(variables) { $1 }
        let log = try FileHandle(forWritingTo: URL(filePath: logPath))
        daemon.standardOutput = log
        daemon.standardError = log
        try daemon.run()
        try await until { try await plue("status").code == 0 || !daemon.isRunning }
        if !daemon.isRunning { Issue.record("the daemon ended: \(self.log)") }
    }

    deinit { if daemon.isRunning { kill(daemon.processIdentifier, SIGKILL) } }

    /// Saves the document as an editor does.
    func edit(_ text: String) throws { try scratch.write(text, to: "config/development.ini") }

    func plue(_ command: String, _ before: String = "", _ after: String = "") async throws -> (output: String, code: Int32) {
        try await scratch.run("\(before)plue \(command) --config-dir \(scratch.path)/config --state-dir \(scratch.path)/state\(after)")
    }

    func status() async throws -> [String: Any] {
        let output = try await plue("status --format json").output
        return (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any] ?? [:]
    }

    /// Where HTTP is served now, `127.0.0.1:40123`. During a hand-over the old address still listens for a moment.
    func address(on host: String = "127.0.0.1") async throws -> String? {
        // The system's table is not read in one moment: others' sockets come and go in it.
        try await until { listening.count == 1 && listening.allSatisfy { $0.hasPrefix(host + ":") } }
        return listening.first
    }

    /// The process's listening TCP sockets, found as `ss` finds them.
    private var listening: Set<String> {
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd")) ?? []
        let owned = Set(descriptors.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/\($0)") })
        var listening = Set<String>()
        for line in ((try? String(contentsOfFile: "/proc/\(process)/net/tcp", encoding: .utf8)) ?? "").split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", owned.contains("socket:[\(fields[9])]") else { continue }
            let parts = fields[1].split(separator: ":")
            guard parts.count == 2, let host = UInt32(parts[0], radix: 16), let port = UInt16(parts[1], radix: 16) else { continue }
            listening.insert("\(host & 255).\(host >> 8 & 255).\(host >> 16 & 255).\(host >> 24 & 255):\(port)")
        }
        return listening
    }

    /// Ends it as a service manager does.
    func stop() async throws -> Int32 {
        kill(process, SIGTERM)
        return await exit()
    }

    func exit() async -> Int32 {
        await withCheckedContinuation { done in
            Thread { [daemon] in
                daemon.waitUntilExit()
                done.resume(returning: daemon.terminationStatus)
            }.start()
        }
    }
}
