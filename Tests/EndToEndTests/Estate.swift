import Foundation
import TestGround
import Testing

/// A daemon with everything that it can have, all of it real: HTTPS, ssh, a PostgreSQL pool, and nginx.
///
/// Where the system lets it, in a network of its own: then its ports are free, and there is an address that can be bound and not be
/// reached.
final class Estate: Sendable {
    let scratch: Scratch
    let database: PostgresServer
    let daemon: RunningDaemon
    let isAlone: Bool
    private let ports: Ports

    /// Can be bound in a network of our own, and not be reached. From TEST-NET-1, RFC 5737.
    static let unreachable = "192.0.2.1"

    struct Ports {
        var http = 0, ssh = 0, nginx = 0
    }

    init() async throws {
        scratch = try Scratch()
        database = try await PostgresServer()
        isAlone = try await scratch.run("unshare -n true").code == 0
        ports = Ports(
            http: try await Self.freePort(scratch), ssh: try await Self.freePort(scratch), nginx: try await Self.freePort(scratch))
        chmod(scratch.path, 0o755)
        try scratch.write(Self.schema, to: "config/schema.json")
        try scratch.write(Self.document(ports, database, at: scratch.path), to: "config/development.ini")
        try scratch.write(Self.template(at: scratch.path), to: "nginx.template")
        try scratch.write(Self.check, to: "check.sh")
        try scratch.write(Self.reload, to: "reload.sh")
        let made = try await scratch.run(Self.make)
        try #require(made.code == 0, "\(made.output)")
        daemon = try await RunningDaemon(
            in: scratch,
            launcher: isAlone
                ? """
                exec unshare -n sh -c '/usr/sbin/ip link set lo up && echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind && exec "$@"' sh "$@"
                """ : nil)
        try await eventually { FileManager.default.fileExists(atPath: scratch.path + "/nginx.pid") }
    }

    deinit {
        if let text = try? scratch.read("nginx.pid"), let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)) {
            kill(pid, SIGTERM)
        }
    }

    // MARK: - Its files

    private static let schema = """
        {"type":"object","properties":{"web":{"type":"object","properties":{"port":{"type":"integer"},"greeting":{"type":"string"}}}}}
        """

    private static func document(_ ports: Ports, _ database: PostgresServer, at path: String) -> String {
        """
        [server]
        host = 127.0.0.1
        port = \(ports.http)
        drain_timeout = 3s
        tls_certificate = \(path)/one.pem
        tls_private_key = \(path)/one.key
        [ssh]
        enabled = true
        host = 127.0.0.1
        port = \(ports.ssh)
        authorized_keys = \(path)/authorized_keys
        [database]
        url = \(database.url)
        username = ada
        pool_min = 2
        pool_max = 5
        connect_timeout = 20s
        audit_export = true
        [reload]
        watch = off
        prepare_timeout = 60s
        verify_timeout = 30s
        [web]
        port = \(ports.nginx)
        greeting = hello
        [daemon.nginx]
        template = \(path)/nginx.template
        output = \(path)/nginx.conf
        check = sh, \(path)/check.sh, \(path), {file}
        reload = sh, \(path)/reload.sh, \(path)
        start = /usr/sbin/nginx, -p, \(path), -c, {output}
        probe = 127.0.0.1:\(ports.nginx)
        pid_file = \(path)/nginx.pid
        check_timeout = 30s
        reload_timeout = 20s
        start_timeout = 20s
        probe_timeout = 20s

        """
    }

    private static func template(at path: String) -> String {
        """
        worker_processes 1;
        pid \(path)/nginx.pid;
        error_log \(path)/error.log;
        events { worker_connections 64; }
        http {
            access_log off;
            client_body_temp_path \(path)/t1;
            proxy_temp_path \(path)/t2;
            fastcgi_temp_path \(path)/t3;
            uwsgi_temp_path \(path)/t4;
            scgi_temp_path \(path)/t5;
            server {
                listen 127.0.0.1:{{web.port}};
                default_type text/plain;
                location / { return 200 "{{web.greeting}}"; }
            }
        }

        """
    }

    /// nginx's own check, and first, once, what a test puts in its way.
    private static let check = """
        if test -e "$1/hook"; then mv "$1/hook" "$1/hook.done"; sh "$1/hook.done" || exit 1; fi
        exec /usr/sbin/nginx -t -q -p "$1" -c "$2"
        """

    /// nginx's own reload, which a test may have refuse once.
    private static let reload = """
        if rm "$1/refuse" 2>/dev/null; then echo "not now" >&2; exit 3; fi
        exec /usr/sbin/nginx -p "$1" -c "$1/nginx.conf" -s reload
        """

    private static let make = """
        set -e
        ssh-keygen -q -t ed25519 -N '' -C ada@laptop -f key
        echo "environment=\\"PLUE_ROLE=operator\\" $(cat key.pub)" > authorized_keys
        req="openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
        $req -x509 -subj /CN=authority -keyout ca.key -out ca.pem
        for name in one two; do
            $req -subj /CN=$name -addext subjectAltName=IP:127.0.0.1 -keyout $name.key -out $name.csr
            openssl x509 -req -copy_extensions copy -in $name.csr -CA ca.pem -CAkey ca.key -days 30 -out $name.pem
        done
        chmod 600 *.key key
        """

    // MARK: - From outside

    /// What stands in front of a command so that it runs in the daemon's network.
    var there: String { isAlone ? "nsenter -t \(daemon.process) -n " : "" }

    /// Runs a command where the daemon is.
    func run(_ command: String) async throws -> (output: String, code: Int32) { try await scratch.run(there + command) }

    /// A port that nobody has.
    func freePort() async throws -> Int { try await Self.freePort(scratch) }

    static func freePort(_ scratch: Scratch) async throws -> Int {
        let program = "import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); print(s.getsockname()[1])"
        // Below the range that clients' ports come from, lest one of them has it by then.
        let port = 10_000 + (Int(try await scratch.run("python3 -c '\(program)'").output.trimmingCharacters(in: .newlines)) ?? 0) % 20_000
        return port
    }

    func ssh(_ command: String, on port: Int) async throws -> (output: String, code: Int32) {
        try await run("\(Self.ssh) -i key -p \(port) admin@127.0.0.1 '\(command)'")
    }

    static let ssh =
        "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes"

    func refuses(_ port: Int) async throws -> Bool {
        try await run("python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", \(port)), 10)'").output.contains("refused")
    }

    /// Has another program take a port until it is ended.
    func occupy(_ port: Int) async throws -> Occupant {
        let occupant = Occupant()
        let program =
            "import socket, sys; s = socket.socket(); s.bind((\"127.0.0.1\", \(port))); s.listen(); print(1, flush=True); sys.stdin.read()"
        try await occupant.start("exec \(there)python3 -c '\(program)'", in: scratch)
        return occupant
    }

    /// Everything that somebody could see from outside; two are equal when nobody could tell the difference.
    struct View: Equatable {
        var version: Int?
        var document: String
        var rendered: String
        var answer: String
        var setting: String
        var page: String
        var backends: Set<String>
    }

    func view() async throws -> View {
        View(
            version: try await daemon.status()["version"] as? Int, document: try scratch.read("config/development.ini"),
            rendered: try scratch.read("nginx.conf"),
            answer: try await run("curl -sS --cacert ca.pem https://127.0.0.1:\(ports.http)/healthz").output,
            setting: try await ssh("show database", on: ports.ssh).output,
            page: try await run("curl -sS http://127.0.0.1:\(ports.nginx)/").output,
            backends: try await database.backends(of: "ada", in: scratch))
    }

    var httpPort: Int { ports.http }
    var sshPort: Int { ports.ssh }
    var nginxPort: Int { ports.nginx }
}

/// Somebody who has a port.
final class Occupant: Sendable {
    private let process = Process()

    func start(_ command: String, in scratch: Scratch) async throws {
        let output = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        process.environment = scratch.environment
        process.standardInput = Pipe()
        process.standardOutput = output
        try process.run()
        let isThere = await withCheckedContinuation { done in
            Thread { done.resume(returning: output.fileHandleForReading.readData(ofLength: 1).count == 1) }.start()
        }
        try #require(isThere, "nobody could take the port")
    }

    func end() async {
        // What Swift's threads start has most signals blocked.
        kill(process.processIdentifier, SIGKILL)
        await withCheckedContinuation { done in
            Thread { [process] in
                process.waitUntilExit()
                done.resume()
            }.start()
        }
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
}
