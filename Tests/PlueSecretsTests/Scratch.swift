import Foundation
import PlueConfig
import SystemPackage

@testable import PlueSecrets

/// A directory of its own for one test, 0700, gone afterwards.
func withScratch(_ body: (FilePath) throws -> Void) throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("plue-secrets-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(at: root) }
    try body(FilePath(root.path))
}

func mode(of path: FilePath) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: path.string))?[.posixPermissions] as? Int
}

func write(_ text: String, to path: FilePath, mode: Int = 0o600) throws {
    try Data(text.utf8).write(to: URL(filePath: path.string))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path.string)
}

extension DataKey {
    /// The bytes from `first` on, counting up.
    static func counting(from first: UInt8) throws -> DataKey {
        guard let key = DataKey(bytes: (0..<32).map { first &+ $0 }) else { throw Missing() }
        return key
    }
}

extension ValuePlace {
    /// The place of the published vector.
    static let database = ValuePlace(application: "pay", profile: "prod", section: "database", key: "password", type: "string")

    func with(_ part: WritableKeyPath<Parts, String>, _ text: String) -> ValuePlace {
        var parts = Parts(application: application, profile: profile, section: section, key: key, type: type)
        parts[keyPath: part] = text
        return ValuePlace(
            application: parts.application, profile: parts.profile, section: parts.section, key: parts.key, type: parts.type)
    }

    struct Parts {
        var application, profile, section, key, type: String
    }
}

extension Secret<String> {
    var exposed: String { withExposed(\.self) }
}

extension Date {
    static let someDay = Date(timeIntervalSince1970: 1_795_500_000)
}

struct Missing: Error {}

/// How long a test that tries things at random goes on: short by default, as long as wanted with PLUE_FUZZ_SECONDS.
let fuzzTime = Duration.seconds(ProcessInfo.processInfo.environment["PLUE_FUZZ_SECONDS"].flatMap(Double.init) ?? 2)

/// Keyrings as somebody would write them.
enum KeyringTexts {
    static let good = """
        [key.k3265311639]
        state = active
        created = 2026-11-24T06:00:00Z
        wrapping = none
        key = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8

        """
    static let retired = "[key.k0000000000]\nstate = retired\ncreated = 2026-11-24T06:00:00Z\n"
}
