import PlueConfig

/// Values that were opened before, so that one that did not change is not opened again. Bounded in number and in bytes.
struct OpenedValues {
    private var opened: [EncryptedValue: Opened] = [:]
    private var byteCount = 0
    /// Which values were asked for since the last ``forgetUnused()``.
    private var round = 0

    private struct Opened {
        let secret: Secret<String>
        let place: ValuePlace
        let byteCount: Int
        var round: Int
    }

    /// More than a document has, unless all of it is encrypted.
    var most = 16_384
    var mostBytes = 8 * 1_048_576

    var count: Int { opened.count }

    /// What a value holds, if it was opened at that place; it opens at no other.
    mutating func secret(of value: EncryptedValue, at place: ValuePlace) -> Secret<String>? {
        guard let index = opened.index(forKey: value), opened.values[index].place == place else { return nil }
        opened.values[index].round = round
        return opened.values[index].secret
    }

    mutating func remember(_ secret: Secret<String>, of value: EncryptedValue, at place: ValuePlace) {
        let size = secret.withExposedBytes(\.count)
        if opened.count >= most || byteCount + size > mostBytes { forget { [round] in $0.value.round != round } }
        // What is in use stays: to make room for one value of a set that does not fit would only open another one again.
        guard opened.count < most, byteCount + size <= mostBytes else { return }
        if let old = opened.updateValue(Opened(secret: secret, place: place, byteCount: size, round: round), forKey: value) {
            byteCount -= old.byteCount
        }
        byteCount += size
    }

    /// Forgets what was not asked for since the last call.
    mutating func forgetUnused() {
        forget { [round] in $0.value.round != round }
        round += 1
    }

    /// Forgets what is sealed with other keys than these.
    mutating func keep(_ ids: Set<KeyID>) { forget { !ids.contains($0.key.keyID) } }

    private mutating func forget(where isForgotten: ((key: EncryptedValue, value: Opened)) -> Bool) {
        for entry in opened where isForgotten(entry) {
            byteCount -= entry.value.byteCount
            opened[entry.key] = nil
        }
    }
}
