import Foundation
import PlueConfig
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Where to connect to, and as whom. Two equal ones share their connections.
struct Login: Equatable, Sendable {
    let url: PostgresURL
    let user: String
    let password: Secret<String>?

    /// - Throws: ``PlueConfig/ServiceRefusal`` with what is wrong; `nil` when the settings name no database.
    init?(_ settings: PostgresPoolSettings) throws(ServiceRefusal) {
        if settings.url.isEmpty { return nil }
        do { url = try PostgresURL(settings.url) } catch { throw ServiceRefusal(error.description) }
        if let inURL = url.user, !settings.username.isEmpty, settings.username != inURL {
            throw ServiceRefusal("the URL names one user and the settings another")
        }
        guard let user = settings.username.isEmpty ? url.user : settings.username else {
            throw ServiceRefusal("the settings name no user for the database")
        }
        // What is behind a NUL, libpq would not see.
        if user.contains("\0") { throw ServiceRefusal("the user's name has a NUL in it") }
        let password = settings.password?.withExposed { (isEmpty: $0.isEmpty, hasNUL: $0.contains("\0")) }
        if password?.hasNUL == true { throw ServiceRefusal("the password has a NUL in it") }
        self.user = user
        self.password = password?.isEmpty == false ? settings.password : nil
    }

    /// Wherever the user's name stands, in the URL or beside it.
    static func == (left: Self, right: Self) -> Bool {
        left.url.isSamePlace(as: right.url) && left.user == right.user && left.password == right.password
    }

    /// Whether a text does not hold the password.
    func isSafe(_ text: String) -> Bool {
        password?.withExposed { !text.contains($0) } ?? true
    }

    /// Whether libpq would take something from the environment that the settings do not say, and that nothing keeps it from.
    func checkEnvironment() throws(ServiceRefusal) {
        let names = ["PGHOSTADDR", "PGSERVICE", "PGREQUIREPEER"] + (password == nil ? ["PGPASSWORD"] : [])
        guard let name = names.first(where: { name in getenv(name) != nil }) else { return }
        throw ServiceRefusal("the environment variable \(name) would change where or how the pool connects; unset it")
    }

    /// Whether the files that the URL names are there; libpq passes over some that are not.
    func checkFiles() throws(ServiceRefusal) {
        for name in ["sslrootcert", "sslcert", "sslkey", "sslcrl"] {
            guard let path = url.parameters[name] else { continue }
            do {
                try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking]).close()
            } catch let code as Errno {
                throw ServiceRefusal("\(name) \(path) cannot be read: \(code)")
            } catch {
                throw ServiceRefusal("\(name) \(path) cannot be read")
            }
        }
    }

    /// No such file can be: libpq takes it for one that is missing, instead of looking into the home directory.
    private static let noFile = "/dev/null/none"

    /// Hands libpq's connection parameters, names and values, to `body`; with the password among them.
    ///
    /// What is given here, libpq does not take from the environment.
    func withParameters<Result>(
        statementTimeout: Duration, _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result?
    ) -> Result? {
        var parameters = [
            "host": url.host, "port": "\(url.port)", "dbname": url.database, "user": user, "sslmode": "prefer",
            "sslrootcert": Self.noFile, "sslcert": Self.noFile, "sslkey": Self.noFile, "sslcrl": Self.noFile, "sslcrldir": Self.noFile,
            "ssl_min_protocol_version": "TLSv1.2", "ssl_max_protocol_version": "TLSv1.3", "sslsni": "1", "channel_binding": "prefer",
            "passfile": Self.noFile, "application_name": "plue", "client_encoding": "UTF8", "gssencmode": "disable",
            "target_session_attrs": "any",
            // Also what RESET and DISCARD ALL go back to.
            "options": "-c statement_timeout=\(statementTimeout.milliseconds)",
        ]
        parameters.merge(url.parameters) { _, given in given }
        return (password ?? Secret("")).withExposed { password in
            if !password.isEmpty { parameters["password"] = password }
            let names = parameters.keys.sorted()
            return withCStrings(names) { names in
                withCStrings(parameters.sorted { $0.key < $1.key }.map(\.value)) { values in body(names, values) }
            }
        }
    }
}

/// Hands the texts to `body` as C has them, with a null pointer at the end.
func withCStrings<Result>(_ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result?) -> Result? {
    let copies = texts.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return (copies.map { UnsafePointer($0) } + [nil]).withUnsafeBufferPointer { $0.baseAddress.flatMap(body) }
}

extension Duration {
    /// Rounded up, since PostgreSQL takes 0 for no limit at all.
    var milliseconds: Int {
        let (seconds, attoseconds) = components
        let (whole, overflow) = Int(seconds).multipliedReportingOverflow(by: 1000)
        let most = Int(Int32.max)
        return overflow ? most : min(min(whole, most) + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000), most)
    }
}
