import Foundation
import TestGround
import Testing

/// Everything at once: clients of HTTPS, of ssh and of PostgreSQL that never pause, while candidates, every second one bad, change
/// ports, certificates, limits, logins, sizes and nginx's page. Nobody may notice.
///
/// 30 candidates; `PLUE_SOAK_COUNT` asks for more, and `make soak` for 500.
@Suite struct LoadTests {
    static let count = ProcessInfo.processInfo.environment["PLUE_SOAK_COUNT"].flatMap { Int($0) } ?? 30

    @Test func `No request, session or query fails while candidates come and go, and nothing is left of them`() async throws {
        let estate = try await Estate()
        let (scratch, daemon) = (estate.scratch, estate.daemon)
        let taken = [try await estate.freePort(), try await estate.freePort()]
        let occupants = [try await estate.occupy(taken[0]), try await estate.occupy(taken[1])]
        var candidates = Candidates(estate, taken: taken)
        // The table belongs to the first login, which the second one is a member of.
        try await eventually { try await estate.database.psql("SELECT to_regclass('plue_audit') IS NOT NULL", in: scratch) == ["t"] }
        // Whatever is made once is made by now.
        for _ in 0..<8 { try await step(&candidates, daemon, scratch) }
        try await settled(daemon)
        let before = Footprint(of: daemon.process)

        try scratch.write(Self.asking, to: "ask.py")
        try scratch.write(Self.sitting, to: "sit.py")
        let port = candidates.ssh
        async let requests = estate.run("python3 ask.py address")
        async let sessions = estate.run("python3 sit.py \(port)")
        async let queries = scratch.run(Self.querying(estate.database))
        try await eventually { FileManager.default.fileExists(atPath: scratch.path + "/sitting") }

        for _ in 0..<Self.count { try await step(&candidates, daemon, scratch) }
        try scratch.write("", to: "done")

        let (asked, sat, queried) = (try await requests.output, try await sessions.output, try await queries.output)
        let counts = [asked, sat, queried].map { output in
            output.split(maxSplits: 2, whereSeparator: \.isWhitespace).prefix(2).map { Int($0) ?? -1 }
        }
        for (counts, output) in zip(counts, [asked, sat, queried]) {
            #expect(counts.first ?? 0 > 10, "\(output)")
            #expect(counts.last == 0, "\(output)")
        }
        #expect(!daemon.log.contains("is not exported"), "\(daemon.log)")
        for occupant in occupants { await occupant.end() }

        try await settled(daemon)
        // One descriptor a candidate would be far more.
        try await eventually { Footprint(of: daemon.process).descriptors <= before.descriptors + 8 }
        #expect(Footprint(of: daemon.process).kilobytes < before.kilobytes + 65_536)

        // The copy of the audit log has come along through all of it: without a gap, up to the last word.
        let last = try #require(
            try await scratch.run("sqlite3 state/plue.db 'SELECT max(seq) FROM audit_entry'").output.split(separator: "\n").first)
        try await eventually {
            try await estate.database.psql("SELECT max(sequence) || ' ' || count(*) FROM plue_audit", in: scratch) == ["\(last) \(last)"]
        }
        #expect(try await daemon.plue("audit verify").code == 0)
        #expect(try await daemon.stop() == 0)
    }

    /// Applies the next candidate, and says where HTTP is.
    private func step(_ candidates: inout Candidates, _ daemon: RunningDaemon, _ scratch: Scratch) async throws {
        let (settings, isGood) = candidates.next()
        let arguments = settings.sorted { $0.key < $1.key }.map { "--set '\($0.key)=\($0.value)'" }.joined(separator: " ")
        let result = try await daemon.plue("apply \(arguments) --reason load")
        #expect((result.code == 0) == isGood, "\(settings): \(result.output)")
        if result.code == 0 { candidates.applied(settings) }
        try scratch.write("\(candidates.http)\n", to: "address")
    }

    /// Waits until nothing drains any more.
    private func settled(_ daemon: RunningDaemon) async throws {
        try await eventually {
            let services = try await daemon.status()["services"] as? [[String: Any]] ?? []
            return !services.isEmpty && services.allSatisfy { $0["draining"] as? Int == 0 }
        }
    }

    private struct Footprint {
        let descriptors: Int
        let kilobytes: Int

        init(of process: Int32) {
            descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count) ?? 0
            let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
            kilobytes = line.split(separator: " ").compactMap { Int($0) }.first ?? .max
        }
    }

    /// What is asked for, one candidate after the other: a good one, a bad one, and so on.
    private struct Candidates {
        private let path: String
        private let taken: [Int]
        private var number = 0
        private var ports: ClosedRange<Int>
        private(set) var http: Int
        private(set) var ssh: Int

        init(_ estate: Estate, taken: [Int]) {
            path = estate.scratch.path
            self.taken = taken
            (http, ssh) = (estate.httpPort, estate.sshPort)
            // In a network of their own; elsewhere others would have some of them.
            let first = 30_000 + Int.random(in: 0..<1_000)
            ports = first...first + 2_000
        }

        private mutating func freshPort() -> Int {
            var port = ports.lowerBound
            while port == http || port == ssh || taken.contains(port) || (try? Squatter(port: port, host: "127.0.0.1")) == nil { port += 1 }
            ports = port + 1...ports.upperBound + 1
            return port
        }

        mutating func next() -> (settings: [String: String], isGood: Bool) {
            defer { number += 1 }
            let turn = number / 2
            return number.isMultiple(of: 2) ? (good(turn), true) : (bad(turn), false)
        }

        mutating func applied(_ settings: [String: String]) {
            http = settings["server.port"].flatMap { Int($0) } ?? http
            ssh = settings["ssh.port"].flatMap { Int($0) } ?? ssh
        }

        private mutating func good(_ turn: Int) -> [String: String] {
            let round = turn / 9
            let name = round.isMultiple(of: 2) ? "two" : "one"
            switch turn % 9 {
            case 0: return ["server.port": "\(freshPort())"]
            case 1: return ["server.tls_certificate": "\(path)/\(name).pem", "server.tls_private_key": "\(path)/\(name).key"]
            case 2: return ["ssh.port": "\(freshPort())"]
            case 3: return ["database.username": round.isMultiple(of: 2) ? "bob" : "ada"]
            case 4: return ["server.max_connections": "\(1_000 + turn)", "server.idle_timeout": "\(60 + turn)s"]
            case 5: return ["database.pool_max": "\(4 + round % 3)"]
            case 6: return ["server.port": "\(freshPort())", "ssh.port": "\(freshPort())", "database.pool_max": "\(7 + round % 2)"]
            case 7: return ["ssh.max_connections": "\(50 + turn)", "ssh.banner": "number \(turn)"]
            default: return ["web.greeting": "hello \(turn)"]
            }
        }

        private mutating func bad(_ turn: Int) -> [String: String] {
            switch turn % 9 {
            case 0: return ["server.port": "99999"]
            case 1: return ["server.port": "\(taken[0])", "ssh.port": "\(freshPort())"]
            case 2: return ["server.port": "\(freshPort())", "ssh.port": "\(taken[1])"]
            case 3: return ["database.pool_max": "1000", "server.port": "\(freshPort())"]
            case 4: return ["database.username": "nobody_there", "ssh.port": "\(freshPort())"]
            case 5: return ["server.tls_certificate": "\(path)/one.pem", "server.tls_private_key": "\(path)/two.key"]
            case 6: return ["web.greeting": "a\"b", "server.port": "\(freshPort())"]
            case 7: return ["server.tls_certificate": "\(path)/nowhere.pem"]
            default: return ["ssh.authorized_keys": "\(path)/nginx.template"]
            }
        }
    }

    // MARK: - Clients

    /// Asks by HTTPS as fast as it can: some keep their connection as long as they may, some take a new one each time. Who is refused
    /// at an address that has moved meanwhile goes where it is now, as clients do; anything else is a failure.
    private static let asking = """
        import http.client, os, ssl, sys, threading, time
        context = ssl.create_default_context(cafile="ca.pem")
        lock, answered, failures = threading.Lock(), 0, []

        def address():
            return int(open(sys.argv[1]).read())

        def ask(keeps):
            global answered
            connection, where = None, 0
            while not os.path.exists("done"):
                try:
                    if connection is None:
                        where = address()
                        connection = http.client.HTTPSConnection("127.0.0.1", where, context=context, timeout=60)
                        connection.connect()
                    connection.request("GET", "/healthz")
                    response = connection.getresponse()
                    assert response.read() == b"ok\\n" and response.status == 200
                    if response.will_close or not keeps:
                        connection.close()
                        connection = None
                    with lock: answered += 1
                except ConnectionRefusedError as error:
                    connection = None
                    time.sleep(0.2)
                    if address() == where: failures.append(f"{error} at {where}")
                except Exception as error:
                    connection = None
                    failures.append(f"{type(error).__name__} {error} at {where}, {'kept' if keeps else 'new'}")
                time.sleep(0.01)

        threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(answered, len(failures), failures[:3])
        """

    /// Ten sessions that each print something every second, from the first candidate to the last, wherever the port is by then.
    private static let sitting = """
        import os, subprocess, sys, threading, time
        lock, answered, failures = threading.Lock(), 0, []
        shells = [subprocess.Popen(
            "\(Estate.ssh)".split() + ["-i", "key", "-p", sys.argv[1], "admin@127.0.0.1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(10)]
        ready = threading.Barrier(10)

        def sit(shell):
            global answered
            turns = 0
            try:
                while not os.path.exists("done") or turns == 0:
                    shell.stdin.write("show logging.level\\n")
                    shell.stdin.flush()
                    line = shell.stdout.readline()
                    assert line == "info\\n", repr(line)
                    if turns == 0:
                        ready.wait(60)
                        open("sitting", "w").close()
                    turns += 1
                    with lock: answered += 1
                    time.sleep(1)
                shell.stdin.close()
                assert shell.wait(60) == 0, shell.returncode
            except Exception as error:
                failures.append(f"{type(error).__name__} {error} {shell.poll()}")

        threads = [threading.Thread(target=sit, args=(shell,)) for shell in shells]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(answered, len(failures), failures[:3])
        """

    /// Another program's queries at the same server, which the pool must leave room for.
    private static func querying(_ database: PostgresServer) -> String {
        """
        asked=0 failed=0
        while ! test -e done; do
            asked=$((asked + 1))
            test "$(psql -h \(database.directory) -U ada -d postgres -XAtqc 'SELECT 1')" = 1 || failed=$((failed + 1))
            sleep 0.1
        done
        echo "$asked $failed"
        """
    }
}
