import Foundation
import Logging
public import PlueConfig
import PlueLedger

/// Tokens while no daemon runs; the ledger's lock keeps one away meanwhile.
extension Offline {
    /// Makes a token.
    /// - Throws: ``TokenRequest/Malformed``, ``TokenRefusal``, or the ledger's error.
    public func createToken(_ request: TokenRequest, _ cause: Cause) async throws -> JSONValue {
        try await withTokens { tokens in
            do {
                let (token, stored) = try await tokens.create(request, by: cause)
                return TokenAnswer.created(token, stored)
            } catch let refusal as TokenBook.Refusal {
                throw TokenRefusal(isConflict: true, description: refusal.description)
            }
        }
    }

    /// Every token, which needs no lock.
    /// - Throws: The ledger's error.
    public func tokens() async throws -> JSONValue {
        TokenAnswer.list(try await Ledger.reading(deployment.stateDirectory).tokens(), at: Date())
    }

    /// Revokes a token.
    /// - Throws: ``TokenRefusal``, or the ledger's error.
    public func revokeToken(_ name: String, _ cause: Cause) async throws -> JSONValue {
        try await withTokens { tokens in
            guard try await tokens.revoke(name, by: cause) else {
                throw TokenRefusal(isConflict: false, description: "there is no token '\(name)'")
            }
            return ["revoked": .string(name)]
        }
    }

    private func withTokens(_ body: (TokenBook) async throws -> JSONValue) async throws -> JSONValue {
        let ledger = try Ledger(directory: deployment.stateDirectory, logger: Logger(label: "plue") { _ in SwiftLogNoOpLogHandler() })
        do {
            let tokens = TokenBook(ledger)
            try await tokens.load()
            let answer = try await body(tokens)
            try await ledger.close()
            return answer
        } catch {
            try? await ledger.close()
            throw error
        }
    }
}

/// A token that could not be made or revoked, and why.
public struct TokenRefusal: Error, CustomStringConvertible, Sendable {
    /// Whether something that is there stands in the way.
    public let isConflict: Bool
    public let description: String
}
