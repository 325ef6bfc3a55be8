import SystemPackage

/// Why a connection could not be opened, in words that may be shown to anyone.
public struct ConnectProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The server's code; `nil` when it was not reached, or did not prove who it is.
    public let state: SQLState?
    /// One sentence: `db.internal:5432 does not let app in: password authentication failed for user "app" (28P01)`.
    public let sentence: String
    /// Whether the server may only be late: it was not reached, it starts, or it is full. Waiting helps where it is, and changing the
    /// settings where it is not.
    public let isAbsence: Bool

    public var description: String { sentence }
}

extension ConnectProblem {
    /// Makes a sentence of libpq's words.
    ///
    /// They are several lines, at least one for each address that was tried, and may quote what the connection was asked for.
    init(_ words: String, of login: Login) {
        let server = login.url.server
        if let (state, message) = Self.serverMessage(in: words) {
            let verb = state.errorClass == "28" ? "does not let \(login.user) in" : "refuses the connection"
            let because = login.isSafe(message) ? ": \(message)" : ""
            self.init(
                state: state, sentence: "\(server) \(verb)\(because) (\(state))",
                // Out of resources, out of order, or ended by an operator.
                isAbsence: ["53", "57", "58", "XX"].contains(state.errorClass))
        } else {
            let cause = Self.firstCause(words)
            let because = login.isSafe(cause) && !cause.isEmpty ? ": \(cause)" : ""
            self.init(state: nil, sentence: "\(server) cannot be used\(because)", isAbsence: Self.isAbsence(words))
        }
    }

    static func overdue(_ login: Login, after duration: Duration) -> ConnectProblem {
        ConnectProblem(
            state: nil, sentence: "\(login.url.server) did not complete the login within \(duration)", isAbsence: true)
    }

    /// Finds `FATAL:  28P01: words`, which is how a server's message looks at the verbosity that is set. The severity's name may
    /// be in the server's language.
    private static func serverMessage(in words: String) -> (state: SQLState, message: String)? {
        for line in words.split(separator: "\n") {
            guard let gap = line.firstRange(of: ":  ") else { continue }
            let rest = line[gap.upperBound...]
            let code = rest.prefix(5)
            guard code.utf8.count == 5, code.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }),
                rest.dropFirst(5).hasPrefix(": ")
            else { continue }
            return (SQLState(rawValue: String(code)), String(rest.dropFirst(7)))
        }
        return nil
    }

    /// What libpq says without a server, line by line; hints are indented.
    private static func causes(_ words: String) -> [Substring] {
        words.split(separator: "\n").filter { !$0.hasPrefix("\t") }
    }

    /// The cause alone, without "connection to server at …, port … failed: ".
    private static func firstCause(_ words: String) -> String {
        guard let line = causes(words).first else { return "" }
        return String(line.firstRange(of: " failed: ").map { line[$0.upperBound...] } ?? line)
    }

    /// Whether at no address anybody was met. A server that was, and could not agree with us on TLS, is there.
    private static func isAbsence(_ words: String) -> Bool {
        causes(words).allSatisfy { line in
            line.contains("could not translate host name") || line.contains("server closed the connection unexpectedly")
                || unreached.contains { line.hasSuffix($0) }
        }
    }

    private static let unreached: [String] = [
        Errno.connectionRefused, .noSuchFileOrDirectory, .noRouteToHost, .networkUnreachable, .timedOut, .connectionReset,
        .brokenPipe, .resourceTemporarilyUnavailable,
    ].map(\.description)
}
