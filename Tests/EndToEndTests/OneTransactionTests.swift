import Foundation
import TestGround
import Testing

/// One transaction over all services: a candidate that changes them together changes all of them, or none.
@Suite struct OneTransactionTests {
    /// What stands in the way of one service, while the others would go through.
    enum Obstacle: String, CaseIterable {
        case portTaken, sshPortTaken, poolTooLarge, checkFails
        case httpUnreachable, sshUnreachable, loginTakenBack, reloadFails

        /// The service that refuses, and when.
        var service: String {
            switch self {
            case .portTaken, .httpUnreachable: "http"
            case .sshPortTaken, .sshUnreachable: "ssh"
            case .poolTooLarge, .loginTakenBack: "database"
            case .checkFails, .reloadFails: "daemon.nginx"
            }
        }

        var phase: String {
            switch self {
            case .portTaken, .sshPortTaken, .poolTooLarge, .checkFails: "prepare"
            case .httpUnreachable, .sshUnreachable, .loginTakenBack, .reloadFails: "verify"
            }
        }

        /// Needs an address that can be bound and not be reached.
        var needsNetwork: Bool { self == .httpUnreachable || self == .sshUnreachable }
    }

    @Test func `Each service in turn refuses, in prepare and in verify, and the others have never moved; then all of them go together`()
        async throws
    {
        let estate = try await Estate()
        let (scratch, daemon) = (estate.scratch, estate.daemon)
        let (http, ssh) = (try await estate.freePort(), try await estate.freePort())
        try await eventually { try await estate.database.backends(of: "ada", in: scratch).count >= 2 }
        let before = try await estate.view()
        #expect(before.answer == "ok\n")
        #expect(before.page == "hello")
        #expect(before.setting.contains("pool_max = 5"))

        try scratch.write(Self.holding, to: "hold.py")
        async let held = estate.run("python3 hold.py \(estate.httpPort) \(estate.sshPort)")

        for obstacle in Obstacle.allCases where estate.isAlone || !obstacle.needsNetwork {
            var candidate = [
                "server.port": "\(http)", "ssh.port": "\(ssh)", "database.pool_max": "7", "web.greeting": "goodbye",
            ]
            var occupant: Occupant?
            switch obstacle {
            case .portTaken: occupant = try await estate.occupy(http)
            case .sshPortTaken: occupant = try await estate.occupy(ssh)
            case .poolTooLarge: candidate["database.pool_max"] = "1000"
            case .checkFails: candidate["web.greeting"] = "good\"bye"
            case .httpUnreachable: candidate["server.host"] = Estate.unreachable
            case .sshUnreachable: candidate["ssh.host"] = Estate.unreachable
            case .loginTakenBack:
                candidate["database.username"] = "bob"
                // While the check runs, the new login has been proven.
                try scratch.write(Self.takingBack(estate.database), to: "hook")
            case .reloadFails: try scratch.write("", to: "refuse")
            }
            let result = try await apply(candidate, daemon)
            #expect(result.code == 1, "\(obstacle): \(result.output)")
            #expect(result.output.contains("\(obstacle.service): "), "\(obstacle): \(result.output)")
            for other in ["http", "ssh", "database", "daemon.nginx"] where other != obstacle.service {
                #expect(!result.output.contains("\(other): "), "\(obstacle): \(result.output)")
            }
            let attempt = try await daemon.status()["lastAttempt"] as? [String: Any]
            #expect(attempt?["phase"] as? String == obstacle.phase, "\(obstacle)")
            #expect(attempt?["outcome"] as? String == (obstacle.phase == "prepare" ? "rejected" : "reverted"), "\(obstacle)")
            await occupant?.end()
            let after = try await estate.view()
            #expect(after == before, "\(obstacle)")
            #expect(try await estate.refuses(http), "\(obstacle)")
            #expect(try await estate.refuses(ssh), "\(obstacle)")
            if obstacle == .loginTakenBack {
                // Nothing of the login is left.
                try await eventually { try await estate.database.backends(of: "bob", in: scratch).isEmpty }
            }
        }

        let all = try await apply(
            ["server.port": "\(http)", "ssh.port": "\(ssh)", "database.pool_max": "7", "web.greeting": "goodbye"], daemon)
        #expect(all.code == 0, "\(all.output)")
        #expect(all.output == "version 2: database.pool_max, server.port, ssh.port, web.greeting\n")
        #expect(try await estate.run("curl -sS --cacert ca.pem https://127.0.0.1:\(http)/healthz").output == "ok\n")
        #expect(try await estate.ssh("show database.pool_max", on: ssh).output == "7\n")
        #expect(try await estate.run("curl -sS http://127.0.0.1:\(estate.nginxPort)/").output == "goodbye")
        #expect(try await estate.database.backends(of: "ada", in: scratch) == before.backends)
        try await eventually { try await estate.refuses(estate.httpPort) }
        try await eventually { try await estate.refuses(estate.sshPort) }

        // Who was connected all the while was never let down; the session goes on although its port is gone.
        try scratch.write("", to: "done")
        let kept = try await held
        #expect(kept.output == "kept\n")
        #expect(try await daemon.stop() == 0)
    }

    private func apply(_ candidate: [String: String], _ daemon: RunningDaemon) async throws -> (output: String, code: Int32) {
        let settings = candidate.sorted { $0.key < $1.key }.map { "--set '\($0.key)=\($0.value)'" }.joined(separator: " ")
        return try await daemon.plue("apply \(settings) --reason together")
    }

    /// A connection and a session that are used every moment until the file `done` is there; the connection until it is told that it
    /// was the last answer, which is what happens when its port moves.
    private static let holding = """
        import http.client, os, ssl, subprocess, sys, time
        context = ssl.create_default_context(cafile="ca.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context, timeout=30)
        connection.connect()
        socket = connection.sock
        shell = subprocess.Popen(
            "\(Estate.ssh)".split() + ["-i", "key", "-p", sys.argv[2], "admin@127.0.0.1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        asks = True
        while not os.path.exists("done"):
            if asks:
                connection.request("GET", "/healthz")
                response = connection.getresponse()
                assert response.read() == b"ok\\n"
                asks = not response.will_close
                assert connection.sock is (socket if asks else None)
            shell.stdin.write("show logging.level\\n")
            shell.stdin.flush()
            assert shell.stdout.readline() == "info\\n"
            time.sleep(0.05)
        shell.stdin.close()
        assert shell.wait(30) == 0
        print("kept")
        """

    private static func takingBack(_ database: PostgresServer) -> String {
        """
        psql="psql -h \(database.directory) -U admin -d postgres -XAtq"
        for i in $(seq 100); do
            test "$($psql -c "SELECT count(*) FROM pg_stat_activity WHERE usename = 'bob'")" = 0 || break
            sleep 0.1
        done
        $psql -c "ALTER ROLE bob NOLOGIN" -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bob'" >&2
        """
    }
}
