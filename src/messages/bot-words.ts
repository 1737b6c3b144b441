import type { Language } from '../domain/language.ts'

/** What the bot of an app says and shows in one language. `{name}` stands for the app's name. */
export type BotWords = {
  /** Asks whether the app may write here; with the buttons `yes` and `no`. */
  question: string
  yes: string
  no: string
  /** In the place of an answered question. */
  thanks: string
  declined: string
  /** After /stop. */
  stopped: string
  /** To a link that was used, has expired, or is none. */
  unknown: string
}

export const builtInBot: Record<Language, BotWords> = {
  en: {
    question:
      '{name} would like to send you codes here. Agree only if you have just asked for that.',
    yes: 'I agree',
    no: 'No',
    thanks:
      'Thank you. Codes from {name} will come here as soon as it has confirmed. /stop ends it.',
    declined: '{name} will send you nothing.',
    stopped: 'No more codes from {name} will come here.',
    unknown: 'This link or question is not valid any more. You can get a new link from {name}.',
  },
  de: {
    question:
      '{name} möchte Ihnen hier Codes senden. Stimmen Sie nur zu, wenn Sie das gerade angefordert haben.',
    yes: 'Ich stimme zu',
    no: 'Nein',
    thanks: 'Danke. Codes von {name} kommen hierher, sobald es bestätigt ist. /stop beendet es.',
    declined: '{name} wird Ihnen nichts senden.',
    stopped: 'Es kommen keine Codes von {name} mehr hierher.',
    unknown:
      'Dieser Link oder diese Frage ist nicht mehr gültig. Einen neuen Link bekommen Sie von {name}.',
  },
  fr: {
    question:
      '{name} souhaite vous envoyer des codes ici. N’acceptez que si vous venez de le demander.',
    yes: 'J’accepte',
    no: 'Non',
    thanks: 'Merci. Les codes de {name} arriveront ici dès la confirmation. /stop y met fin.',
    declined: '{name} ne vous enverra rien.',
    stopped: 'Vous ne recevrez plus ici de codes de {name}.',
    unknown: 'Ce lien ou cette question n’est plus valable. Demandez un nouveau lien à {name}.',
  },
  es: {
    question: '{name} quiere enviarle códigos aquí. Acepte solo si acaba de solicitarlo.',
    yes: 'Acepto',
    no: 'No',
    thanks: 'Gracias. Los códigos de {name} llegarán aquí en cuanto se confirme. /stop lo termina.',
    declined: '{name} no le enviará nada.',
    stopped: 'Ya no llegarán aquí códigos de {name}.',
    unknown: 'Este enlace o esta pregunta ya no es válida. Pida un enlace nuevo a {name}.',
  },
  it: {
    question: '{name} vorrebbe inviarle codici qui. Accetti solo se lo ha appena richiesto.',
    yes: 'Accetto',
    no: 'No',
    thanks: 'Grazie. I codici di {name} arriveranno qui dopo la conferma. /stop li interrompe.',
    declined: '{name} non le invierà nulla.',
    stopped: 'Qui non arriveranno più codici di {name}.',
    unknown: 'Questo link o questa domanda non è più valida. Chieda un nuovo link a {name}.',
  },
  'pt-BR': {
    question:
      '{name} quer enviar códigos para você aqui. Aceite somente se você acabou de pedir isso.',
    yes: 'Aceito',
    no: 'Não',
    thanks: 'Obrigado. Os códigos de {name} chegarão aqui após a confirmação. /stop encerra.',
    declined: '{name} não enviará nada para você.',
    stopped: 'Nenhum código de {name} chegará mais aqui.',
    unknown: 'Este link ou esta pergunta não é mais válida. Peça um novo link a {name}.',
  },
  'pt-PT': {
    question: '{name} pretende enviar-lhe códigos aqui. Aceite apenas se acabou de o pedir.',
    yes: 'Aceito',
    no: 'Não',
    thanks: 'Obrigado. Os códigos de {name} chegarão aqui após a confirmação. /stop termina.',
    declined: '{name} não lhe enviará nada.',
    stopped: 'Não chegarão mais códigos de {name} aqui.',
    unknown: 'Esta ligação ou esta pergunta já não é válida. Peça uma nova ligação a {name}.',
  },
  nl: {
    question:
      '{name} wil u hier codes sturen. Ga alleen akkoord als u daar zojuist om hebt gevraagd.',
    yes: 'Akkoord',
    no: 'Nee',
    thanks: 'Bedankt. Codes van {name} komen hier zodra het is bevestigd. /stop beëindigt het.',
    declined: '{name} stuurt u niets.',
    stopped: 'Er komen hier geen codes van {name} meer.',
    unknown: 'Deze link of vraag is niet meer geldig. Een nieuwe link krijgt u van {name}.',
  },
  pl: {
    question:
      '{name} chce wysyłać Państwu tutaj kody. Zgodę należy wyrazić tylko wtedy, gdy właśnie o to poproszono.',
    yes: 'Zgadzam się',
    no: 'Nie',
    thanks: 'Dziękujemy. Kody od {name} będą tu przychodzić po potwierdzeniu. /stop to kończy.',
    declined: '{name} niczego nie wyśle.',
    stopped: 'Kody od {name} nie będą już tu przychodzić.',
    unknown: 'Ten link lub to pytanie straciło ważność. Nowy link można otrzymać od {name}.',
  },
  cs: {
    question:
      '{name} vám sem chce posílat kódy. Souhlaste jen tehdy, pokud jste o to právě požádali.',
    yes: 'Souhlasím',
    no: 'Ne',
    thanks: 'Děkujeme. Kódy od {name} sem budou chodit, jakmile se to potvrdí. /stop to ukončí.',
    declined: '{name} vám nic nepošle.',
    stopped: 'Kódy od {name} sem už chodit nebudou.',
    unknown: 'Tento odkaz nebo tato otázka už neplatí. Nový odkaz získáte od {name}.',
  },
  sv: {
    question: '{name} vill skicka koder till dig här. Godkänn bara om du nyss har bett om det.',
    yes: 'Jag godkänner',
    no: 'Nej',
    thanks: 'Tack. Koder från {name} kommer hit så snart det är bekräftat. /stop avslutar det.',
    declined: '{name} skickar ingenting till dig.',
    stopped: 'Inga fler koder från {name} kommer hit.',
    unknown: 'Länken eller frågan gäller inte längre. Du kan få en ny länk från {name}.',
  },
  da: {
    question: '{name} vil gerne sende dig koder her. Sig kun ja, hvis du lige har bedt om det.',
    yes: 'Ja, det er i orden',
    no: 'Nej',
    thanks: 'Tak. Koder fra {name} kommer her, så snart det er bekræftet. /stop afslutter det.',
    declined: '{name} sender dig ikke noget.',
    stopped: 'Der kommer ikke flere koder fra {name} her.',
    unknown: 'Linket eller spørgsmålet gælder ikke længere. Du kan få et nyt link fra {name}.',
  },
  nb: {
    question: '{name} vil gjerne sende deg koder her. Si bare ja hvis du nettopp har bedt om det.',
    yes: 'Ja, det er greit',
    no: 'Nei',
    thanks: 'Takk. Koder fra {name} kommer hit så snart det er bekreftet. /stop avslutter det.',
    declined: '{name} sender deg ingenting.',
    stopped: 'Det kommer ikke flere koder fra {name} hit.',
    unknown: 'Lenken eller spørsmålet gjelder ikke lenger. Du kan få en ny lenke fra {name}.',
  },
  fi: {
    question:
      '{name} haluaa lähettää sinulle koodeja tänne. Hyväksy vain, jos olet juuri pyytänyt sitä.',
    yes: 'Hyväksyn',
    no: 'Ei',
    thanks: 'Kiitos. Koodit lähettää {name} tänne, kun asia on vahvistettu. /stop lopettaa ne.',
    declined: '{name} ei lähetä sinulle mitään.',
    stopped: '{name} ei enää lähetä koodeja tänne.',
    unknown: 'Tämä linkki tai kysymys ei ole enää voimassa. Uuden linkin antaa {name}.',
  },
  el: {
    question: '{name} θέλει να σας στέλνει κωδικούς εδώ. Συμφωνήστε μόνο αν μόλις το ζητήσατε.',
    yes: 'Συμφωνώ',
    no: 'Όχι',
    thanks:
      'Ευχαριστούμε. Οι κωδικοί από {name} θα έρχονται εδώ μετά την επιβεβαίωση. Το /stop τους σταματά.',
    declined: '{name} δεν θα σας στείλει τίποτα.',
    stopped: 'Δεν θα έρχονται πια εδώ κωδικοί από {name}.',
    unknown: 'Αυτός ο σύνδεσμος ή η ερώτηση δεν ισχύει πια. Ζητήστε νέο σύνδεσμο από {name}.',
  },
  tr: {
    question:
      '{name} size buradan kod göndermek istiyor. Yalnızca bunu az önce siz istediyseniz kabul edin.',
    yes: 'Kabul ediyorum',
    no: 'Hayır',
    thanks:
      'Teşekkürler. Onaylandıktan sonra {name} kodları buraya gelecek. /stop bunu sonlandırır.',
    declined: '{name} size hiçbir şey göndermeyecek.',
    stopped: 'Artık {name} kodları buraya gelmeyecek.',
    unknown:
      'Bu bağlantı veya soru artık geçerli değil. Yeni bağlantıyı {name} üzerinden alabilirsiniz.',
  },
  ru: {
    question:
      '{name} хочет отправлять вам сюда коды. Соглашайтесь, только если вы сами только что это запросили.',
    yes: 'Согласен',
    no: 'Нет',
    thanks: 'Спасибо. Коды от {name} будут приходить сюда после подтверждения. /stop отключит их.',
    declined: '{name} ничего вам не отправит.',
    stopped: 'Коды от {name} больше не будут приходить сюда.',
    unknown: 'Эта ссылка или вопрос больше не действует. Новую ссылку можно получить у {name}.',
  },
  uk: {
    question:
      '{name} хоче надсилати вам сюди коди. Погоджуйтеся, лише якщо ви щойно самі про це попросили.',
    yes: 'Погоджуюся',
    no: 'Ні',
    thanks: 'Дякуємо. Коди від {name} надходитимуть сюди після підтвердження. /stop вимкне їх.',
    declined: '{name} нічого вам не надішле.',
    stopped: 'Коди від {name} більше не надходитимуть сюди.',
    unknown: 'Це посилання або запитання вже не дійсне. Нове посилання можна отримати від {name}.',
  },
  ar: {
    question: 'يريد {name} أن يرسل إليك رموزًا هنا. لا توافق إلا إذا طلبت ذلك للتو.',
    yes: 'أوافق',
    no: 'لا',
    thanks: 'شكرًا. ستصل الرموز من {name} إلى هنا بعد التأكيد. لإنهاء ذلك أرسل /stop',
    declined: 'لن يرسل {name} إليك شيئًا.',
    stopped: 'لن تصل رموز من {name} إلى هنا بعد الآن.',
    unknown: 'لم يعد هذا الرابط أو السؤال صالحًا. يمكنك الحصول على رابط جديد من {name}.',
  },
  he: {
    question: '{name} מבקש לשלוח לך קודים כאן. יש להסכים רק אם ביקשת זאת הרגע.',
    yes: 'אני מסכים/ה',
    no: 'לא',
    thanks: 'תודה. קודים מאת {name} יגיעו לכאן לאחר האישור. לסיום יש לשלוח /stop',
    declined: '{name} לא ישלח לך דבר.',
    stopped: 'קודים מאת {name} לא יגיעו עוד לכאן.',
    unknown: 'הקישור או השאלה אינם תקפים עוד. אפשר לקבל קישור חדש מאת {name}.',
  },
  hi: {
    question: '{name} आपको यहाँ कोड भेजना चाहता है। तभी सहमति दें जब आपने अभी-अभी इसका अनुरोध किया हो।',
    yes: 'मैं सहमत हूँ',
    no: 'नहीं',
    thanks: 'धन्यवाद। पुष्टि होते ही {name} के कोड यहाँ आएँगे। बंद करने के लिए /stop भेजें।',
    declined: '{name} आपको कुछ नहीं भेजेगा।',
    stopped: 'अब {name} के कोड यहाँ नहीं आएँगे।',
    unknown: 'यह लिंक या प्रश्न अब मान्य नहीं है। नया लिंक {name} से मिल सकता है।',
  },
  ja: {
    question:
      '{name} がここにコードを送信しようとしています。ご自身が今リクエストした場合にのみ同意してください。',
    yes: '同意する',
    no: 'いいえ',
    thanks:
      'ありがとうございます。確認が済むと {name} のコードがここに届きます。停止するには /stop を送信してください。',
    declined: '{name} からは何も送信されません。',
    stopped: '今後 {name} のコードはここに届きません。',
    unknown: 'このリンクまたは質問は無効になりました。新しいリンクは {name} で取得してください。',
  },
  ko: {
    question: '{name} 에서 여기로 코드를 보내려고 합니다. 방금 직접 요청하신 경우에만 동의하세요.',
    yes: '동의합니다',
    no: '아니요',
    thanks:
      '감사합니다. 확인이 끝나면 {name} 코드가 여기로 전송됩니다. 중지하려면 /stop 을 보내세요.',
    declined: '{name} 에서 아무것도 보내지 않습니다.',
    stopped: '이제 {name} 코드는 여기로 전송되지 않습니다.',
    unknown: '이 링크 또는 질문은 더 이상 유효하지 않습니다. 새 링크는 {name} 에서 받으세요.',
  },
  'zh-Hans': {
    question: '{name} 希望在此向您发送验证码。仅当您刚刚提出请求时才同意。',
    yes: '同意',
    no: '不同意',
    thanks: '谢谢。确认后，{name} 的验证码将发送到这里。发送 /stop 可停止接收。',
    declined: '{name} 不会向您发送任何内容。',
    stopped: '{name} 的验证码不会再发送到这里。',
    unknown: '此链接或问题已失效。请从 {name} 获取新链接。',
  },
  'zh-Hant': {
    question: '{name} 希望在此傳送驗證碼給您。僅當您剛剛提出要求時才同意。',
    yes: '同意',
    no: '不同意',
    thanks: '謝謝。確認後，{name} 的驗證碼將傳送到這裡。傳送 /stop 即可停止接收。',
    declined: '{name} 不會傳送任何內容給您。',
    stopped: '{name} 的驗證碼不會再傳送到這裡。',
    unknown: '此連結或問題已失效。請向 {name} 取得新連結。',
  },
  th: {
    question: '{name} ต้องการส่งรหัสให้คุณที่นี่ โปรดยินยอมเฉพาะเมื่อคุณเพิ่งขอด้วยตนเอง',
    yes: 'ยินยอม',
    no: 'ไม่',
    thanks: 'ขอบคุณ รหัสจาก {name} จะมาที่นี่เมื่อยืนยันแล้ว ส่ง /stop เพื่อยกเลิก',
    declined: '{name} จะไม่ส่งสิ่งใดถึงคุณ',
    stopped: 'รหัสจาก {name} จะไม่มาที่นี่อีก',
    unknown: 'ลิงก์หรือคำถามนี้ใช้ไม่ได้แล้ว ขอลิงก์ใหม่ได้จาก {name}',
  },
  vi: {
    question: '{name} muốn gửi mã cho bạn tại đây. Chỉ đồng ý nếu bạn vừa yêu cầu điều đó.',
    yes: 'Tôi đồng ý',
    no: 'Không',
    thanks: 'Cảm ơn. Mã từ {name} sẽ đến đây sau khi được xác nhận. Gửi /stop để dừng.',
    declined: '{name} sẽ không gửi gì cho bạn.',
    stopped: 'Mã từ {name} sẽ không đến đây nữa.',
    unknown:
      'Liên kết hoặc câu hỏi này không còn hiệu lực. Bạn có thể nhận liên kết mới từ {name}.',
  },
  id: {
    question:
      '{name} ingin mengirim kode kepada Anda di sini. Setujui hanya jika Anda baru saja memintanya.',
    yes: 'Saya setuju',
    no: 'Tidak',
    thanks:
      'Terima kasih. Kode dari {name} akan masuk ke sini setelah dikonfirmasi. Kirim /stop untuk berhenti.',
    declined: '{name} tidak akan mengirim apa pun kepada Anda.',
    stopped: 'Kode dari {name} tidak akan masuk ke sini lagi.',
    unknown:
      'Tautan atau pertanyaan ini tidak berlaku lagi. Anda bisa mendapat tautan baru dari {name}.',
  },
}
