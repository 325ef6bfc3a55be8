import SystemPackage

/// A service's reason for refusing, in words that may be shown to anyone: logs, history, audit and the API repeat them.
///
/// ```swift
/// throw ServiceRefusal("127.0.0.1:8080 is taken by another process")
/// ```
///
/// Throw it from ``LiveService/prepare(_:beside:)`` and ``LiveService/verify(_:)``. The text of any other error is **not**
/// shown, because it may quote a password or a URL that holds one: only its type is named.
public struct ServiceRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// One sentence, without a secret.
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}

/// An error whose text holds nothing secret, whatever it was caused by: a service or a recorder may throw it, and it is shown.
public protocol TellableError: Error, CustomStringConvertible {}

extension ServiceRefusal: TellableError {}
extension WriteRefusal: TellableError {}

/// What may be told of an error that a service or a recorder threw.
package func publicSentence(for error: any Error) -> String {
    switch error {
    case let error as any TellableError: oneLine(error.description)
    // The system's own words, "Address already in use": they hold nothing but the code.
    case let code as Errno: code.description
    case is CancellationError: "was cancelled"
    default: "failed with \(type(of: error)), whose text is not shown because it may hold a secret"
    }
}

/// The message as one line of a bearable length, whatever a service put into it.
private func oneLine(_ message: String) -> String {
    let limit = 1000
    let cut = message.unicodeScalars.count > limit
    var line = String.UnicodeScalarView()
    for scalar in message.unicodeScalars.prefix(limit) {
        line.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return String(line) + (cut ? "…" : "")
}
