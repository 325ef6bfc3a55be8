import Foundation
import PlueConfig

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One line of the audit log, in the one spelling that is hashed.
///
/// ```
/// plue-audit/1
/// seq: 12
/// time: 2026-11-24T12:00:00.123Z
/// action: outcome
/// version: 5
/// ```
///
/// A field is a name and a text in one line; `\\ \n \r \t \0` stand for what would break the form. Fields stand in the order they
/// were added, so that one entry has one spelling. The format is described in Documentation/audit.md, for verifiers that are not ours.
struct AuditEntry {
    static let header = "plue-audit/1"

    private(set) var text: String

    init(number: Int, at time: AuditTime, action: String) {
        text = Self.header + "\n"
        add("seq", number)
        add("time", time.wall)
        add("monotonic", Int(clamping: time.monotonic))
        add("boot", time.boot)
        add("host", time.host)
        add("action", action)
    }

    mutating func add(_ name: String, _ value: String?) {
        if let value { text += "\(name): \(Self.escaped(value))\n" }
    }

    mutating func add(_ name: String, _ value: Int?) {
        if let value { text += "\(name): \(value)\n" }
    }

    mutating func add(_ cause: Cause) {
        add("actor", cause.actor)
        add("trigger", cause.trigger.rawValue)
        if !cause.reason.isEmpty { add("reason", cause.reason) }
        for approver in cause.approvers { add("approver", approver) }
    }

    private static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\\") }) else { return value }
        var escaped = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\r": escaped += "\\r"
            case "\t": escaped += "\\t"
            case "\0": escaped += "\\0"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

/// When and where an entry is written. Two clocks and the boot they belong to: a wall clock that was set shows.
struct AuditTime {
    let wall: String
    /// Nanoseconds since the boot.
    let monotonic: UInt64
    let boot: String
    let host: String

    static func now() -> AuditTime {
        let wall = Date().formatted(.iso8601.year().month().day().timeZone(separator: .omitted).time(includingFractionalSeconds: true))
        return AuditTime(wall: wall, monotonic: DispatchTime.now().uptimeNanoseconds, boot: bootID, host: hostName)
    }

    private static let bootID: String = {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }()

    /// As the kernel has it: Foundation's asks the name service, which may take long.
    private static let hostName: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()
}
