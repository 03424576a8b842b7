/** The words of the unsubscribe page, language by language, and the choice of one. Owns texts only. */

/** `{address}` is the address, shown in part; `{list}` the name of the list. */
export interface Words {
  /** Of the language, in itself. */
  readonly name: string
  /** Written from right to left. */
  readonly rtl?: true
  readonly askTitle: string
  readonly ask: string
  readonly onlyList: string
  readonly everything: string
  readonly leave: string
  readonly leftTitle: string
  readonly left: string
  readonly leftAll: string
  readonly mistake: string
  readonly again: string
  readonly backTitle: string
  readonly back: string
  readonly keptOffTitle: string
  readonly keptOff: string
  readonly slowTitle: string
  readonly slow: string
  readonly unknownTitle: string
  readonly unknown: string
  readonly failedTitle: string
  readonly failed: string
}

const en: Words = {
  name: 'English',
  askTitle: 'Unsubscribe?',
  ask: 'Emails go to {address}. Press the button to stop them.',
  onlyList: 'Only “{list}”',
  everything: 'Everything from this sender',
  leave: 'Unsubscribe',
  leftTitle: 'You are unsubscribed',
  left: '{address} gets no more emails of “{list}”.',
  leftAll: '{address} gets no more emails from this sender.',
  mistake: 'Was it a mistake?',
  again: 'Subscribe again',
  backTitle: 'Welcome back',
  back: '{address} gets the emails again.',
  keptOffTitle: 'Still no emails',
  keptOff:
    '{address} is no longer unsubscribed, but the sender has stopped emails to it. Reply to one of the emails to ask about it.',
  slowTitle: 'A little slower, please',
  slow: 'There were too many changes in a short time. Try again in an hour.',
  unknownTitle: 'This link is not valid',
  unknown: 'It may have been cut off. Open it from the email once more, or answer the email and ask to be removed.',
  failedTitle: 'That did not work',
  failed: 'Nothing was changed. Try again in a few minutes.',
}

const de: Words = {
  name: 'Deutsch',
  askTitle: 'Abmelden?',
  ask: 'Die E-Mails gehen an {address}. Mit dem Knopf hören sie auf.',
  onlyList: 'Nur „{list}“',
  everything: 'Alles von diesem Absender',
  leave: 'Abmelden',
  leftTitle: 'Sie sind abgemeldet',
  left: '{address} erhält keine E-Mails mehr von „{list}“.',
  leftAll: '{address} erhält keine E-Mails mehr von diesem Absender.',
  mistake: 'War es ein Versehen?',
  again: 'Wieder anmelden',
  backTitle: 'Willkommen zurück',
  back: '{address} erhält die E-Mails wieder.',
  keptOffTitle: 'Noch keine E-Mails',
  keptOff:
    '{address} ist nicht mehr abgemeldet, aber der Absender schickt dorthin keine E-Mails. Fragen Sie nach: Antworten Sie auf eine der E-Mails.',
  slowTitle: 'Bitte etwas langsamer',
  slow: 'Das waren zu viele Änderungen in kurzer Zeit. Versuchen Sie es in einer Stunde noch einmal.',
  unknownTitle: 'Dieser Link ist nicht gültig',
  unknown:
    'Vielleicht wurde er abgeschnitten. Öffnen Sie ihn noch einmal aus der E-Mail, oder antworten Sie auf die E-Mail und bitten Sie um Abmeldung.',
  failedTitle: 'Das hat nicht geklappt',
  failed: 'Es wurde nichts geändert. Versuchen Sie es in einigen Minuten noch einmal.',
}

const fr: Words = {
  name: 'Français',
  askTitle: 'Se désabonner ?',
  ask: 'Les e-mails sont envoyés à {address}. Ce bouton y met fin.',
  onlyList: 'Seulement « {list} »',
  everything: 'Tout ce qui vient de cet expéditeur',
  leave: 'Se désabonner',
  leftTitle: 'Vous êtes désabonné',
  left: '{address} ne recevra plus les e-mails de « {list} ».',
  leftAll: '{address} ne recevra plus d’e-mails de cet expéditeur.',
  mistake: 'Était-ce une erreur ?',
  again: 'Se réabonner',
  backTitle: 'Heureux de vous revoir',
  back: '{address} recevra de nouveau les e-mails.',
  keptOffTitle: 'Toujours pas d’e-mails',
  keptOff:
    '{address} n’est plus désinscrite, mais l’expéditeur a arrêté les envois à cette adresse. Répondez à l’un des e-mails pour lui poser la question.',
  slowTitle: 'Un peu moins vite, s’il vous plaît',
  slow: 'Il y a eu trop de changements en peu de temps. Réessayez dans une heure.',
  unknownTitle: 'Ce lien n’est pas valable',
  unknown:
    'Il a peut-être été coupé. Ouvrez-le encore une fois depuis l’e-mail, ou répondez à l’e-mail pour demander votre désinscription.',
  failedTitle: 'Cela n’a pas fonctionné',
  failed: 'Rien n’a été changé. Réessayez dans quelques minutes.',
}

const es: Words = {
  name: 'Español',
  askTitle: '¿Darse de baja?',
  ask: 'Los correos se envían a {address}. Con el botón dejarán de llegar.',
  onlyList: 'Solo «{list}»',
  everything: 'Todo lo de este remitente',
  leave: 'Darse de baja',
  leftTitle: 'Se ha dado de baja',
  left: '{address} ya no recibirá correos de «{list}».',
  leftAll: '{address} ya no recibirá correos de este remitente.',
  mistake: '¿Fue un error?',
  again: 'Suscribirse de nuevo',
  backTitle: 'Bienvenido de nuevo',
  back: '{address} vuelve a recibir los correos.',
  keptOffTitle: 'Todavía sin correos',
  keptOff:
    '{address} ya no está dada de baja, pero el remitente ha detenido los envíos a esta dirección. Responda a uno de los correos para preguntar.',
  slowTitle: 'Un poco más despacio, por favor',
  slow: 'Ha habido demasiados cambios en poco tiempo. Inténtelo de nuevo dentro de una hora.',
  unknownTitle: 'Este enlace no es válido',
  unknown: 'Quizá se haya cortado. Ábralo otra vez desde el correo, o responda al correo y pida la baja.',
  failedTitle: 'No ha funcionado',
  failed: 'No se ha cambiado nada. Inténtelo de nuevo en unos minutos.',
}

const it: Words = {
  name: 'Italiano',
  askTitle: 'Annullare l’iscrizione?',
  ask: 'Le e-mail arrivano a {address}. Con il pulsante non arriveranno più.',
  onlyList: 'Solo “{list}”',
  everything: 'Tutto da questo mittente',
  leave: 'Annulla l’iscrizione',
  leftTitle: 'Iscrizione annullata',
  left: '{address} non riceverà più le e-mail di “{list}”.',
  leftAll: '{address} non riceverà più e-mail da questo mittente.',
  mistake: 'È stato un errore?',
  again: 'Iscriviti di nuovo',
  backTitle: 'Bentornato',
  back: '{address} riceve di nuovo le e-mail.',
  keptOffTitle: 'Ancora nessuna e-mail',
  keptOff:
    '{address} non è più disiscritto, ma il mittente ha sospeso gli invii a questo indirizzo. Risponda a una delle e-mail per chiedere.',
  slowTitle: 'Un po’ più piano, per favore',
  slow: 'Ci sono state troppe modifiche in poco tempo. Riprova tra un’ora.',
  unknownTitle: 'Questo link non è valido',
  unknown: 'Forse è stato troncato. Aprilo di nuovo dall’e-mail, oppure rispondi all’e-mail e chiedi la cancellazione.',
  failedTitle: 'Non ha funzionato',
  failed: 'Non è stato cambiato nulla. Riprova tra qualche minuto.',
}

const pt: Words = {
  name: 'Português',
  askTitle: 'Cancelar a subscrição?',
  ask: 'Os e-mails vão para {address}. Com o botão deixam de chegar.',
  onlyList: 'Apenas “{list}”',
  everything: 'Tudo deste remetente',
  leave: 'Cancelar a subscrição',
  leftTitle: 'Subscrição cancelada',
  left: '{address} deixa de receber e-mails de “{list}”.',
  leftAll: '{address} deixa de receber e-mails deste remetente.',
  mistake: 'Foi engano?',
  again: 'Subscrever de novo',
  backTitle: 'Que bom tê-lo de volta',
  back: '{address} volta a receber os e-mails.',
  keptOffTitle: 'Ainda sem e-mails',
  keptOff:
    '{address} já não está cancelado, mas o remetente suspendeu os envios para este endereço. Responda a um dos e-mails para perguntar.',
  slowTitle: 'Um pouco mais devagar, por favor',
  slow: 'Houve demasiadas alterações em pouco tempo. Tente de novo dentro de uma hora.',
  unknownTitle: 'Esta ligação não é válida',
  unknown:
    'Talvez tenha sido cortada. Abra-a de novo a partir do e-mail, ou responda ao e-mail e peça para sair da lista.',
  failedTitle: 'Não funcionou',
  failed: 'Nada foi alterado. Tente de novo daqui a uns minutos.',
}

const nl: Words = {
  name: 'Nederlands',
  askTitle: 'Afmelden?',
  ask: 'De mails gaan naar {address}. Met de knop houdt dat op.',
  onlyList: 'Alleen “{list}”',
  everything: 'Alles van deze afzender',
  leave: 'Afmelden',
  leftTitle: 'U bent afgemeld',
  left: '{address} krijgt geen mails meer van “{list}”.',
  leftAll: '{address} krijgt geen mails meer van deze afzender.',
  mistake: 'Was het een vergissing?',
  again: 'Opnieuw aanmelden',
  backTitle: 'Welkom terug',
  back: '{address} krijgt de mails weer.',
  keptOffTitle: 'Nog geen mails',
  keptOff:
    '{address} is niet meer afgemeld, maar de afzender stuurt er geen mails naartoe. Beantwoord een van de mails om ernaar te vragen.',
  slowTitle: 'Iets langzamer, alstublieft',
  slow: 'Er waren te veel wijzigingen in korte tijd. Probeer het over een uur opnieuw.',
  unknownTitle: 'Deze link is niet geldig',
  unknown:
    'Misschien is hij afgebroken. Open hem nog eens vanuit de mail, of beantwoord de mail en vraag om afmelding.',
  failedTitle: 'Dat is niet gelukt',
  failed: 'Er is niets veranderd. Probeer het over een paar minuten opnieuw.',
}

const pl: Words = {
  name: 'Polski',
  askTitle: 'Wypisać się?',
  ask: 'Wiadomości są wysyłane na adres {address}. Ten przycisk to zakończy.',
  onlyList: 'Tylko „{list}”',
  everything: 'Wszystko od tego nadawcy',
  leave: 'Wypisz mnie',
  leftTitle: 'Wypisano z listy',
  left: '{address} nie będzie już otrzymywać wiadomości z listy „{list}”.',
  leftAll: '{address} nie będzie już otrzymywać wiadomości od tego nadawcy.',
  mistake: 'To była pomyłka?',
  again: 'Zapisz mnie ponownie',
  backTitle: 'Witamy ponownie',
  back: '{address} znów będzie otrzymywać wiadomości.',
  keptOffTitle: 'Nadal bez wiadomości',
  keptOff:
    'Adres {address} nie jest już wypisany, ale nadawca wstrzymał wysyłkę na ten adres. Aby zapytać o powód, odpowiedz na jedną z wiadomości.',
  slowTitle: 'Proszę trochę wolniej',
  slow: 'W krótkim czasie było zbyt wiele zmian. Proszę spróbować ponownie za godzinę.',
  unknownTitle: 'Ten odnośnik jest nieprawidłowy',
  unknown:
    'Być może został ucięty. Proszę otworzyć go jeszcze raz z wiadomości albo odpowiedzieć na nią z prośbą o wypisanie.',
  failedTitle: 'Nie udało się',
  failed: 'Nic nie zostało zmienione. Proszę spróbować ponownie za kilka minut.',
}

const ar: Words = {
  name: 'العربية',
  rtl: true,
  askTitle: 'إلغاء الاشتراك؟',
  ask: 'تُرسل الرسائل إلى {address}. اضغط الزر لإيقافها.',
  onlyList: '«{list}» فقط',
  everything: 'كل ما يأتي من هذا المرسل',
  leave: 'إلغاء الاشتراك',
  leftTitle: 'أُلغي اشتراكك',
  left: 'لن تصل رسائل «{list}» إلى {address} بعد الآن.',
  leftAll: 'لن تصل رسائل هذا المرسل إلى {address} بعد الآن.',
  mistake: 'هل حدث ذلك بالخطأ؟',
  again: 'الاشتراك من جديد',
  backTitle: 'مرحبًا بعودتك',
  back: 'ستصل الرسائل إلى {address} من جديد.',
  keptOffTitle: 'لا رسائل حتى الآن',
  keptOff: 'لم يعد اشتراك {address} ملغى، لكن المرسل أوقف الرسائل إليه. للسؤال عن ذلك، ردّ على إحدى الرسائل.',
  slowTitle: 'على مهل من فضلك',
  slow: 'جرت تغييرات كثيرة في وقت قصير. حاول مرة أخرى بعد ساعة.',
  unknownTitle: 'هذا الرابط غير صالح',
  unknown: 'ربما قُطع جزء منه. افتحه مرة أخرى من الرسالة، أو ردّ على الرسالة واطلب إزالة عنوانك.',
  failedTitle: 'لم ينجح ذلك',
  failed: 'لم يتغير شيء. حاول مرة أخرى بعد بضع دقائق.',
}

const he: Words = {
  name: 'עברית',
  rtl: true,
  askTitle: 'להסיר מרשימת התפוצה?',
  ask: 'הודעות נשלחות אל {address}. לחיצה על הכפתור תפסיק אותן.',
  onlyList: 'רק „{list}”',
  everything: 'כל מה שמגיע מהשולח הזה',
  leave: 'הסרה מהרשימה',
  leftTitle: 'הוסרת מהרשימה',
  left: 'הודעות של „{list}” לא יישלחו עוד אל {address}.',
  leftAll: 'הודעות מהשולח הזה לא יישלחו עוד אל {address}.',
  mistake: 'זו הייתה טעות?',
  again: 'הצטרפות מחדש',
  backTitle: 'ברוך שובך',
  back: 'ההודעות יישלחו שוב אל {address}.',
  keptOffTitle: 'עדיין אין הודעות',
  keptOff: '{address} כבר אינו מוסר מהרשימה, אבל השולח הפסיק לשלוח אליו. כדי לברר, אפשר להשיב לאחת ההודעות.',
  slowTitle: 'קצת יותר לאט, בבקשה',
  slow: 'היו יותר מדי שינויים בזמן קצר. אפשר לנסות שוב בעוד שעה.',
  unknownTitle: 'הקישור הזה אינו תקין',
  unknown: 'ייתכן שהקישור נקטע. אפשר לפתוח אותו שוב מההודעה, או להשיב להודעה ולבקש הסרה.',
  failedTitle: 'זה לא הצליח',
  failed: 'לא השתנה דבר. אפשר לנסות שוב בעוד כמה דקות.',
}

export const LANGUAGES = { en, de, fr, es, it, pt, nl, pl, ar, he } as const
export type Language = keyof typeof LANGUAGES

function known(tag: string): Language | undefined {
  const [code = ''] = tag.trim().toLowerCase().split('-')
  return Object.hasOwn(LANGUAGES, code) ? (code as Language) : undefined
}

/** The language asked for in the address, else the one that the browser likes best (RFC 9110 section 12.5.4), else English. */
export function chooseLanguage(asked: string | undefined, accept: string | undefined): Language {
  const chosen = known(asked ?? '')
  if (chosen !== undefined) return chosen
  const wishes = (accept ?? '')
    .slice(0, 500)
    .split(',')
    .map((wish) => {
      const [tag = '', ...parameters] = wish.split(';')
      const weight = /^\s*q=([01](?:\.\d{0,3})?)\s*$/i.exec(parameters[0] ?? '')?.[1]
      return { language: known(tag), weight: weight === undefined ? 1 : Number(weight) }
    })
    .filter(({ language, weight }) => language !== undefined && weight > 0)
    .sort((a, b) => b.weight - a.weight)
  return wishes[0]?.language ?? 'en'
}
