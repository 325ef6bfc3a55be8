import Foundation
import PlueConfig
import PluePostgres
import Subprocess
import Synchronization
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A PostgreSQL server of its own, in a temporary directory, on a free port and a socket file.
///
/// It does not outlive the tests, however they end: a watcher waits for the end of a pipe that this process holds, then stops the
/// server and removes the directory.
final class Cluster: Sendable {
    /// Where everything is; the socket and the certificates too.
    let directory: String
    let port: Int

    @TaskLocal static var current: Cluster?

    /// The server that the suite shares.
    static var shared: Cluster { get throws { try #require(current) } }

    private init(directory: String, port: Int) {
        self.directory = directory
        self.port = port
    }

    /// Makes a server's files, or copies those of the suite's; roles but the administrator need a password, and there are some
    /// certificates for TLS.
    private static let script = """
        set -eu
        dir=$1 port=$2 bin=$3 template=$4; shift 4
        umask 077
        cd "$dir"
        # In a session of its own, it survives whatever happens to the tests and to this script.
        exec 3<&0 </dev/null
        setsid sh -c 'cat >/dev/null; "$1/pg_ctl" -D "$2/data" -m immediate -w stop >/dev/null 2>&1; rm -rf "$2"' \\
            sh "$bin" "$dir" <&3 >/dev/null 2>&1 &
        exec 3<&-
        export HOME="$dir" LC_ALL=C.UTF-8
        if [ "$template" ]; then
            cp -a "$template/." .
        else
            mkdir template
            "$bin/initdb" -D template/data -U admin -A trust --no-sync -E UTF8 >init.log 2>&1
            key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
            for ca in ca other; do
                openssl req -x509 $key -days 2 -subj "/CN=plue test $ca" -keyout template/$ca.key -out template/$ca.pem 2>>init.log
            done
            for name in localhost certified; do
                openssl req $key -subj "/CN=$name" -keyout template/$name.key -out $name.csr 2>>init.log
                openssl x509 -req -in $name.csr -CA template/ca.pem -CAkey template/ca.key -CAcreateserial -days 2 \\
                    -out template/$name.pem 2>>init.log
            done
            cp -a template/. .
        fi
        cat >data/pg_hba.conf <<-END
        	local   all admin     trust
        	host    all admin     127.0.0.1/32 trust
        	hostssl all certified 127.0.0.1/32 cert
        	local   all all       scram-sha-256
        	host    all all       127.0.0.1/32 scram-sha-256
        	END
        cat >>data/postgresql.conf <<-END
        	listen_addresses = '127.0.0.1'
        	port = $port
        	unix_socket_directories = '$dir'
        	fsync = off
        	autovacuum = off
        	shared_buffers = 16MB
        	ssl = on
        	ssl_cert_file = '$dir/localhost.pem'
        	ssl_key_file = '$dir/localhost.key'
        	ssl_ca_file = '$dir/ca.pem'
        	END
        for setting; do echo "$setting" >>data/postgresql.conf; done
        "$bin/pg_ctl" -D data -w -l log start >start.log 2>&1
        psql -h "$dir" -p "$port" -U admin -d postgres -qc "GRANT CREATE ON SCHEMA public TO PUBLIC"
        echo ready
        wait
        """

    /// Starts a server, and removes it however the body ends.
    /// - Parameter settings: Lines for postgresql.conf.
    static func run<Value: Sendable>(_ settings: String..., body: @Sendable (Cluster) async throws -> Value) async throws -> Value {
        let cluster = Cluster(directory: "/tmp/plue-pg-\(UUID().uuidString.prefix(8))", port: try freePort())
        try FileManager.default.createDirectory(
            atPath: cluster.directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        if geteuid() == 0 { chown(cluster.directory, user, user) }
        let template = current.map { "\($0.directory)/template" } ?? ""
        let command = asUser(["sh", "-c", script, "sh", cluster.directory, "\(cluster.port)", try binaries(), template] + settings)
        return try await Subprocess.run(
            .name("env"), arguments: Arguments(command), input: .inputWriter, output: .sequence, error: .discarded
        ) { execution async throws in
            var isReady = false
            for try await _ in execution.standardOutput {
                isReady = true
                break
            }
            guard isReady else { throw Failure("the server did not start") }
            return try await body(cluster)
        }.closureResult
    }

    // MARK: - Outside views and interventions

    /// Runs statements as the administrator, with psql: a client nobody here wrote.
    /// - Returns: The rows, their columns separated by `|`.
    @discardableResult
    func psql(_ statements: String..., database: String = "postgres") async throws -> [String] {
        var arguments = ["psql", "-h", directory, "-p", "\(port)", "-U", "admin", "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1"]
        for statement in statements { arguments += ["-c", statement] }
        return try await Self.run(arguments).split(separator: "\n").map(String.init)
    }

    /// Stops, starts or restarts the server.
    func control(_ action: String...) async throws {
        let bin = try Self.binaries()
        _ = try await Self.run(
            Self.asUser(["\(bin)/pg_ctl", "-D", "\(directory)/data", "-w", "-l", "\(directory)/log", "-m", "fast"] + action))
    }

    /// What the server has logged.
    var log: String { (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? "" }

    /// The server's processes for the connections of a role.
    func backends(of role: String) async throws -> Set<Int> {
        Set(try await psql("SELECT pid FROM pg_stat_activity WHERE usename = '\(role)'").compactMap { Int($0) })
    }

    /// Whether a backend runs a statement with these words.
    func isRunning(_ words: String, on backend: Int) async throws -> Bool {
        try await psql("SELECT 1 FROM pg_stat_activity WHERE pid = \(backend) AND state = 'active' AND query LIKE '%\(words)%'").count == 1
    }

    /// A role that may log in, with a name that no other test has.
    func newRole(_ options: String = "") async throws -> Role {
        let role = Role(name: "role_\(UUID().uuidString.prefix(8).lowercased())", password: "pw-\(UUID().uuidString)")
        try await psql("CREATE ROLE \(role.name) LOGIN PASSWORD '\(role.password)' \(options)")
        return role
    }

    struct Role: Hashable, Sendable {
        var name: String
        var password: String
    }

    enum Way: CaseIterable, Sendable {
        case tcp, socket
    }

    func url(_ way: Way = .tcp, database: String = "postgres", _ parameters: String = "") -> String {
        switch way {
        case .tcp: "postgres://127.0.0.1:\(port)/\(database)?sslmode=disable\(parameters)"
        case .socket: "postgres:///\(database)?host=\(directory)&port=\(port)\(parameters)"
        }
    }

    func settings(
        _ role: Role, _ way: Way = .tcp, database: String = "postgres", _ change: (inout PostgresPoolSettings.Limits) -> Void = { _ in }
    ) -> PostgresPoolSettings {
        var settings = PostgresPoolSettings(
            url: url(way, database: database), username: role.name, password: Secret(role.password))
        // Machines that run tests can be slow.
        settings.limits.connectTimeout = .seconds(20)
        change(&settings.limits)
        return settings
    }

    // MARK: - Processes

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    /// nobody, which is what PostgreSQL runs as where the tests are root: it refuses to be root itself.
    private static let user: UInt32 = 65_534

    static func asUser(_ command: [String]) -> [String] {
        geteuid() == 0 ? ["setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups"] + command : command
    }

    private static func binaries() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }.sorted()
        guard let newest = versions.last else { throw Failure("no PostgreSQL server in \(root): apt-get install postgresql") }
        return "\(root)/\(newest)/bin"
    }

    @discardableResult
    private static func run(_ command: [String]) async throws -> String {
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments(command), output: .string(limit: 10_000_000), error: .string(limit: 100_000))
        guard result.terminationStatus.isSuccess else { throw Failure("\(command.joined(separator: " ")): \(result.standardError)") }
        return result.standardOutput
    }
}

/// Starts the server that a suite shares, and removes it at the suite's end.
struct ClusterTrait: SuiteTrait, TestScoping {
    func provideScope(for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void) async throws
    {
        try await Cluster.run("max_connections = 300") { cluster async throws in
            try await Cluster.$current.withValue(cluster) { try await function() }
        }
    }
}

extension Trait where Self == ClusterTrait {
    static var cluster: Self { Self() }
}
