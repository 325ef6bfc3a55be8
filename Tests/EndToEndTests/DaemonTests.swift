import Foundation
import TestGround
import Testing

/// The daemon as its operator has it: files that are edited, signals, a socket, a process that may be killed.
@Suite struct DaemonTests {
    @Test func `An edit moves the server, a mistake changes nothing, putting it back clears the alarm`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        #expect(try await daemon.status()["version"] as? Int == 1)
        let old = try #require(try await daemon.address())

        try daemon.edit("[server]\nhost = 127.0.0.2\nport = 0\n")
        try await eventually { try await daemon.status()["version"] as? Int == 2 }
        let new = try #require(try await daemon.address(on: "127.0.0.2"))
        #expect(new != old)
        #expect(try await daemon.scratch.run("curl -sS http://\(new)/healthz").output == "ok\n")

        try daemon.edit("[server]\nhost = 127.0.0.2\nport = 99999\n")
        try await eventually { try await daemon.status()["state"] as? String == "rejected" }
        #expect(try await daemon.status()["version"] as? Int == 2)
        #expect(try await daemon.plue("status").output.contains("error[range]: server.port is 99999, but must be between 0 and 65535"))
        #expect(try await daemon.plue("reload").code == 65)
        #expect(try await daemon.scratch.run("curl -sS http://\(new)/healthz").output == "ok\n")

        try daemon.edit("[server]\nhost = 127.0.0.2\nport = 0\n")
        try await eventually { try await daemon.status()["state"] as? String == "running" }
        let status = try await daemon.plue("status").output
        #expect(!status.contains("rejected"))
        #expect(try await daemon.status()["version"] as? Int == 2)

        let history = try await daemon.plue("history").output
        #expect(history.contains("file:\(getuid())"))
        #expect(try await daemon.plue("diff 1 2").output.contains("server.host: 127.0.0.1 → 127.0.0.2"))
        #expect(try await daemon.stop() == 0)
    }

    @Test func `Whoever looks at the files without naming an environment sees those that run`() async throws {
        let scratch = try Scratch()
        try scratch.write("[server]\nport = 8080\n", to: "config/development.ini")
        try scratch.write("[server]\nhost = 127.0.0.1\nport = 0\n", to: "config/production.ini")
        let daemon = try await RunningDaemon(in: scratch, arguments: ["-e", "production"])
        #expect(try await daemon.plue("show server.port").output.hasSuffix("0\n"))
        #expect(try await daemon.plue("check").output.contains("(production): valid"))
        #expect(try await daemon.plue("diff").output.contains("8080") == false)
        #expect(try await daemon.plue("explain server.port").output.contains("development") == false)
        try scratch.write("[server]\nhost = 127.0.0.1\nport = 99999\n", to: "config/production.ini")
        try await eventually { try await daemon.status()["state"] as? String == "rejected" }
        #expect(try await daemon.plue("check").code == 65)
        #expect(try await daemon.plue("check -e development").code == 0)
        #expect(try await daemon.plue("check", "PLUE_ENVIRONMENT=development ").code == 0)
        // A file takes the place of the document that runs.
        try scratch.write("[server]\nhost = 127.0.0.2\nport = 0\n", to: "new.ini")
        #expect(try await daemon.plue("apply new.ini --reason mended").code == 0)
        #expect(try scratch.read("config/production.ini").contains("127.0.0.2"))
        #expect(try await daemon.plue("secret reveal server.port").output == "0\n")
        let metrics = try await daemon.get("/metrics").body
        #expect(metrics.contains("plue_reloads_total{result=\"reverted\",trigger=\"api\"} 0\n"))
        #expect(metrics.contains("plue_change_detected_total{by=\"poll\"} 0\n"))
        #expect(try await daemon.stop() == 0)
        #expect(try await daemon.plue("status --format json 2> /dev/null").output.contains("\"detail\": \"no daemon answers"))
    }

    @Test func `HTTPS follows its files: a renewed pair is served once both are there, and nobody who is connected notices`() async throws {
        let scratch = try Scratch()
        let make = try await scratch.run(
            """
            set -e
            req="openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
            $req -x509 -subj /CN=authority -keyout ca.key -out ca.pem
            issue() {
                $req -subj /CN=$1 -addext "subjectAltName=$2" -keyout $1.key -out $1.csr
                openssl x509 -req -copy_extensions copy -in $1.csr -CA ca.pem -CAkey ca.key -days $3 -out $1.pem
            }
            issue one IP:127.0.0.1 30; issue two IP:127.0.0.1 30; issue past IP:127.0.0.1 -1; issue other DNS:other.test 3
            cp one.pem live.pem; cp one.key live.key; chmod 600 *.key
            """)
        try #require(make.code == 0, "\(make.output)")
        func document(_ pair: String) -> String {
            "[server]\nhost = 127.0.0.1\nport = 0\ntls_certificate = \(scratch.path)/\(pair).pem\ntls_private_key = \(scratch.path)/\(pair).key\n"
        }
        let daemon = try await RunningDaemon(document("live"), in: scratch)
        let address = try #require(try await daemon.address())
        try await eventually { daemon.log.contains("listening on https://\(address)\n") }
        func ask() async throws -> String { try await scratch.run("curl -sS --cacert ca.pem https://\(address)/healthz").output }
        func served() async throws -> String {
            try await scratch.run("openssl s_client -connect \(address) < /dev/null 2> /dev/null | openssl x509 -noout -subject").output
        }
        #expect(try await ask() == "ok\n")
        #expect(try await served() == "subject=CN = one\n")

        // Asks one connection again and again, across all that follows.
        async let kept = scratch.run(
            """
            while ! test -e done; do echo https://\(address)/healthz; sleep 0.05; done | python3 -c 'import http.client, ssl, sys
            connection = http.client.HTTPSConnection("127.0.0.1", \(address.split(separator: ":")[1]), context=ssl.create_default_context(cafile="ca.pem"))
            for line in sys.stdin:
                connection.request("GET", "/healthz")
                response = connection.getresponse()
                assert response.read() == b"ok\\n" and not response.will_close
                socket = globals().setdefault("socket", connection.sock)
                assert socket is connection.sock and socket is not None
            print("kept")'
            """)

        #expect(try await scratch.run("cp two.pem next.pem; mv next.pem live.pem").code == 0)
        try await eventually { try await daemon.status()["state"] as? String == "rejected" }
        let status = try await daemon.plue("status").output
        let mismatch = "the private key in \(scratch.path)/live.key does not belong to the certificate in \(scratch.path)/live.pem"
        #expect(status.contains("error[rule]: \(mismatch)"))
        #expect(status.contains("development.ini:4:19"))
        #expect(try await served() == "subject=CN = one\n")
        #expect(try await scratch.run("cp -p two.key next.key; mv next.key live.key").code == 0)
        try await eventually { try await daemon.status()["version"] as? Int == 2 }
        #expect(try await daemon.status()["state"] as? String == "running")
        #expect(try await served() == "subject=CN = two\n")
        #expect(try await ask() == "ok\n")

        // One that cannot be served changes nothing; one that is doubtful is served, and said to be.
        try daemon.edit(document("past"))
        try await eventually { try await daemon.status()["state"] as? String == "rejected" }
        #expect(try await daemon.plue("status").output.contains("the certificate in \(scratch.path)/past.pem expired on 20"))
        #expect(try await served() == "subject=CN = two\n")
        try daemon.edit(document("other"))
        try await eventually { try await daemon.status()["version"] as? Int == 3 }
        #expect(try await served() == "subject=CN = other\n")
        let check = try await daemon.plue("check")
        #expect(check.code == 0)
        #expect(check.output.contains("the certificate in \(scratch.path)/other.pem is for other.test, but not for 127.0.0.1"))
        #expect(check.output.contains("the certificate in \(scratch.path)/other.pem expires on 20"))

        try Data().write(to: URL(filePath: scratch.path + "/done"))
        #expect(try await kept.output == "kept\n")
        let pair = "--set server.tls_certificate=\(scratch.path)/one.pem --set server.tls_private_key=\(scratch.path)/one.key"
        let plan = try await daemon.plue("plan \(pair)")
        #expect(plan.output.contains("http: live, then verified by the certificate and an answer from 127.0.0.1:0"), "\(plan.output)")
        let show = try await daemon.plue("show server.tls_certificate")
        #expect(show.output.hasSuffix("\n\(scratch.path)/other.pem\n"))
        #expect(try await daemon.stop() == 0)
        for key in ["one", "two", "other"] {
            let lines = try scratch.read("\(key).key").split(separator: "\n").filter { !$0.hasPrefix("-----") }
            for line in lines {
                #expect(try await scratch.run("grep -rqF '\(line)' state log-*").code == 1)
            }
        }
    }

    @Test func `SIGHUP and reload read the files again, and watch tells of it`() async throws {
        // Without a watch only they do.
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n[reload]\nwatch = off\n")
        async let watched = daemon.plue("watch", "timeout 20 ", " | head -n 1")
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\ndebug = true\n[reload]\nwatch = off\n")
        kill(daemon.process, SIGHUP)
        try await eventually { try await daemon.status()["version"] as? Int == 2 }
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
        try await eventually { FileManager.default.fileExists(atPath: scratch.path + "/notify") }
        func lines() -> [String] {
            ((try? String(contentsOfFile: scratch.path + "/heard", encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
        }

        let quiet = "[reload]\nwatch = off\n"
        let daemon = try await RunningDaemon(
            "[server]\nhost = 127.0.0.1\nport = 0\n" + quiet, in: scratch, ["NOTIFY_SOCKET": scratch.path + "/notify"])
        try await eventually { lines().first == "READY=1 STATUS=version 1 of development runs" }

        let signalled = DispatchTime.now().uptimeNanoseconds / 1000
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 99999\n" + quiet)
        kill(daemon.process, SIGHUP)
        let verdict = "version 1 of development runs; a change was refused: server.port is 99999, but must be between 0 and 65535"
        try await eventually { lines().last == "READY=1 STATUS=\(verdict)" }
        let reloading = try #require(lines().first { $0.hasPrefix("RELOADING=1 MONOTONIC_USEC=") })
        #expect(try #require(UInt64(reloading.dropFirst("RELOADING=1 MONOTONIC_USEC=".count))) >= signalled)

        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\ndebug = true\n" + quiet)
        #expect(try await daemon.plue("reload").code == 0)
        // Nobody signalled, so nothing is answered.
        try await eventually { lines().last == "STATUS=version 2 of development runs" }

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
        try await eventually { try await daemon.status()["version"] as? Int == 2 }
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
        let apply = "apply --set server.max_connections=7 --reason try --confirm-within 20s"
        #expect(try await daemon.plue(apply, "", " && kill -9 \(daemon.process)").code == 0)
        _ = await daemon.exit()
        #expect(try daemon.scratch.read("config/development.ini") == text + "max_connections = 7\n")

        // In time it waits on.
        let again = try await RunningDaemon(in: daemon.scratch)
        #expect(try await again.status()["state"] as? String == "awaiting-confirm")
        try await eventually { try await again.status()["version"] as? Int == 3 }
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

    @Test func `What was edited while a change waited is kept beside when it is taken back, by the daemon or at the next start`()
        async throws
    {
        let text = "# mine\n[server]\nhost = 127.0.0.1\nport = 0\n"
        let daemon = try await RunningDaemon(text)
        func copies() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: daemon.scratch.path + "/config").filter { $0.contains(".saved-") }
        }
        #expect(try await daemon.plue("apply --set server.max_connections=7 --reason try --confirm-within 2s").code == 0)
        try daemon.edit(text + "max_connections = 7\n# precious\n")
        try await eventually { try await daemon.status()["version"] as? Int == 3 }
        #expect(try daemon.scratch.read("config/development.ini") == text)
        #expect(try copies().map { try daemon.scratch.read("config/" + $0) } == [text + "max_connections = 7\n# precious\n"])

        // At once, however slow the machine: what is to be seen is the next start.
        let apply = "apply --set server.max_connections=8 --reason try --confirm-within 10s"
        #expect(try await daemon.plue(apply, "", " && kill -9 \(daemon.process)").code == 0)
        let answered = ContinuousClock.now
        _ = await daemon.exit()
        try daemon.edit(text + "max_connections = 8\n# more precious\n")
        try await Task.sleep(until: answered + .seconds(10))
        let again = try await RunningDaemon(in: daemon.scratch)
        let history = try await again.plue("history").output
        #expect(try await again.status()["version"] as? Int == 5, "\(history)")
        #expect(try daemon.scratch.read("config/development.ini") == text)
        let texts = try copies().map { try daemon.scratch.read("config/" + $0) }
        #expect(texts.contains(text + "max_connections = 8\n# more precious\n") && texts.count == 2)
        #expect(try await again.plue("audit log").output.contains("“version 4 was not confirmed in time”"))
        #expect(try await again.stop() == 0)
    }

    @Test func `What takes the place of a change that waits is made on top of what ran before that`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        #expect(try await daemon.plue("apply --set server.max_connections=7 --reason a --confirm-within 60s").code == 0)
        let waits = try await daemon.plue("plan --set logging.level=debug")
        #expect(waits.code == 0 && waits.output.contains("applying this now is refused: version 2 waits"))
        #expect(try await daemon.plue("apply --set logging.level=debug --reason b --replace-pending").code == 0)
        #expect(
            try daemon.scratch.read("config/development.ini") == "[server]\nhost = 127.0.0.1\nport = 0\n\n[logging]\nlevel = debug\n")
        #expect(try await daemon.status()["state"] as? String == "running")
        #expect(try await daemon.stop() == 0)
    }

    @Test func `Environments that share a state directory leave each other's changes that wait alone`() async throws {
        let scratch = try Scratch()
        for name in ["development", "production"] { try scratch.write("[server]\nport = 0\n", to: "config/\(name).ini") }
        func plue(_ command: String) async throws -> (output: String, code: Int32) {
            try await scratch.run("plue \(command) --config-dir config --state-dir own")
        }
        #expect(try await plue("apply -e production --set server.max_connections=7 --reason a --confirm-within 60s").code == 0)
        #expect(try await plue("apply --set server.max_connections=9 --reason b").code == 0)
        #expect(try await plue("confirm").code == 75)
        #expect(try await plue("audit verify").output.hasPrefix("intact: "))
        #expect(try await plue("confirm -e production").output == "version 2 is confirmed\n")
        #expect(try await plue("audit verify").output.hasPrefix("intact: "))
        #expect(try scratch.read("config/production.ini") == "[server]\nport = 0\nmax_connections = 7\n")
    }

    @Test func `A command meant for another installation than the one that answers is refused`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        let state = "--state-dir \(daemon.scratch.path)/state"
        for meant in ["-e production", "--config-dir /tmp"] {
            let apply = try await daemon.scratch.run("plue apply \(meant) \(state) --set server.debug=true --reason r")
            #expect(apply.code == 75)
            #expect(apply.output.contains("runs development from"))
        }
        #expect(try await daemon.stop() == 0)
    }

    @Test func `explain is answered by the daemon, with the variables that the shell lacks`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = ${HOST}\nport = 0\n", ["HOST": "127.0.0.1"])
        let explain = try await daemon.plue("explain server.host")
        #expect(explain.code == 0)
        #expect(explain.output.contains("server.host = 127.0.0.1"))
        #expect(explain.output.contains("since version 1"))
        #expect(try await daemon.stop() == 0)
    }

    @Test func `While a change waits nobody else's comes in between, and what was saved meanwhile follows`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        #expect(try await daemon.plue("apply --set server.max_connections=7 --reason try --confirm-within 60s").code == 0)
        #expect(try await daemon.plue("apply --set server.debug=true --reason mine").code == 75)
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\nmax_connections = 7\ndebug = true\n")
        try await eventually { try await daemon.status()["drift"] as? Bool == true }
        #expect(try await daemon.status()["version"] as? Int == 2)
        #expect(try await daemon.plue("confirm").output == "version 2 is confirmed\n")
        try await eventually { try await daemon.status()["version"] as? Int == 3 }
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
        #expect(try await first.stop() == 0, "\(first.log)")
        try scratch.write("[server\n", to: "config/development.ini")
        #expect(try await scratch.run("plue serve --config-dir config --state-dir state").code == 65)
        let daemon = try await RunningDaemon(in: scratch, arguments: ["--last-known-good"])
        #expect(try await daemon.status()["version"] as? Int == 1)
        #expect(try await daemon.status()["lastKnownGood"] as? Bool == true)
        #expect(try await daemon.plue("status").output.contains("last known good"))
        #expect(daemon.log.contains("the files are invalid; the version that ran last runs in their place"))
        try daemon.edit("[server]\nhost = 127.0.0.1\nport = 0\nmax_connections = 6\n")
        try await eventually { try await daemon.status()["version"] as? Int == 2 }
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
        try await eventually { try await daemon.status()["state"] as? String == "rejected" }
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
