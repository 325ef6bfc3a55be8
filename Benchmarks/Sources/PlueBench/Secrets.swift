import Crypto
import Foundation
import PlueConfig
import PlueSecrets
import SystemPackage

/// Opening encrypted values, as a load does with each of them once, beside bare AES-GCM under one key for all.
func benchmarkSecrets() throws {
    let count = 1_000
    let directory = FileManager.default.temporaryDirectory.appending(path: "plue-bench-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let file = KeyringFile(FilePath(directory).appending("keyring"))
    try file.create(Keyring(DataKey(), created: Date()))
    let opener = SecretOpener(file)
    let places = (0..<count).map {
        ValuePlace(application: "bench", profile: "production", section: "database.n\($0)", key: "password", type: "string")
    }
    let tokens = try places.enumerated().map { try opener.sealed(Secret("a password of 32 characters \($0 + 1000)"), at: $1) }
    func open(with opener: SecretOpener) {
        for (token, place) in zip(tokens, places) { use(try? opener.open(token, at: place)) }
    }
    // A new opener has opened nothing yet.
    let first = median(
        (0..<31).map { _ in
            let opener = SecretOpener(file)
            return time { open(with: opener) }
        })
    let again = median((0..<31).map { _ in time { open(with: opener) } })
    let key = SymmetricKey(size: .bits256)
    let boxes = try places.map { try AES.GCM.seal(Array(repeating: 7, count: 64), using: key, authenticating: Array($0.section.utf8)) }
    let bare = median(
        (0..<31).map { _ in
            time {
                for (box, place) in zip(boxes, places) {
                    use(try? AES.GCM.open(box, using: key, authenticating: Array(place.section.utf8)))
                }
            }
        })
    var table = Table("opening \(count) values", "Plue ms", "bare AES-GCM ms", "of it", "target ms")
    table.add("the first time", (first / 1e6).short, (bare / 1e6).short, (first / bare).ratio, "10")
    table.add("unchanged, on a reload", (again / 1e6).short, (bare / 1e6).short, (again / bare).ratio, "")
    table.print()
}

private func time(_ body: () -> Void) -> Double {
    let start = now()
    body()
    return Double(now() - start)
}
